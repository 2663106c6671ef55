//! Settings that are the same for every installation.

/// The tag of resources that a template creates. It differs from [`TAG`](crate::changes::TAG), so that `tidegate install`
/// and `tidegate uninstall` leave them alone.
pub const TEMPLATE_TAG: &str = "tidegate-template";

/// The Lambda runtime: an OS-only one, since the package has its own `bootstrap`. Source: AWS Lambda developer guide,
/// "Lambda runtimes".
pub const RUNTIME: &str = "provided.al2023";

/// The handler: the name of the program in the package.
pub const HANDLER: &str = "bootstrap";

/// The description of the function.
pub const FUNCTION_DESCRIPTION: &str = "Publishes static sites";

/// Retention of dead letters, in seconds: 14 days, the maximum. Source: SQS API reference, `SetQueueAttributes`.
pub const DEAD_LETTER_SECONDS: u32 = 1_209_600;

/// Maximum number of notifications of a bucket, here for one function. Source: Amazon S3 user guide, "Amazon S3 event
/// notifications", quotas.
pub const MAX_NOTIFICATIONS: usize = 100;

/// How long CloudWatch aggregates a metric before it evaluates an alarm, in seconds.
pub(super) const ALARM_PERIOD: u16 = 300;
