//! Repeated measurements.
//!
//! Owns what is made of several times: the median, which one interruption by the machine does not move.

use std::time::Duration;

/// The median of so many measurements, at least one, after one that is thrown away.
///
/// # Errors
/// The first measurement that fails.
pub(crate) fn median<E>(repeats: usize, mut measure: impl FnMut() -> Result<Duration, E>) -> Result<Duration, E> {
    let warm = measure()?;
    let mut times = (0..repeats).map(|_| measure()).collect::<Result<Vec<_>, E>>()?;
    times.sort();
    Ok(times.get(times.len() / 2).copied().unwrap_or(warm))
}

/// Nanoseconds of a time that was measured, which is less than centuries.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
