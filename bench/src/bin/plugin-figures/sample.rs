//! Medians of repeated measurements, which single interruptions do not change.

use std::time::Duration;

/// The median of a number of measurements, after a warm-up.
///
/// # Errors
/// The error of the first measurement that fails.
pub(crate) fn median<E>(repeats: usize, mut measure: impl FnMut() -> Result<Duration, E>) -> Result<Duration, E> {
    let warm_up = measure()?;
    let mut times = (0..repeats).map(|_| measure()).collect::<Result<Vec<_>, E>>()?;
    times.sort();
    Ok(times.get(times.len() / 2).copied().unwrap_or(warm_up))
}

/// Nanoseconds of a duration. A `u64` is enough for 584 years.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
