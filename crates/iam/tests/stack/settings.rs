//! The `[function]` table of the configuration.

use tidegate_core::config::{Config, FunctionConfig};

fn parse(table: &str) -> Result<FunctionConfig, String> {
    let text = format!("{table}\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs.acme.com/\"\n");
    Config::parse(&text).map(|config| config.function).map_err(|error| error.to_string())
}

#[test]
fn defaults_apply_without_the_table() {
    let function = parse("").unwrap();
    assert_eq!(parse("[function]").unwrap(), function);
    assert_eq!(function.name.as_str(), "tidegate");
    assert_eq!(function.architecture.as_str(), "x86_64");
    assert_eq!((function.memory.get(), function.timeout.get(), function.log_retention.get()), (1024, 900, 30));
    assert!(function.engine.has_state_machine());
    assert_eq!((function.workers.get(), function.shard_size.get()), (8, 4_000));
    assert_eq!((function.retries.get(), function.event_age.get(), function.alarm_topic), (2, 21_600, None));
}

#[test]
fn invalid_values_and_unknown_fields_are_refused() {
    for (fields, message) in [
        ("name = \"a b\"", "invalid function name `a b`"),
        ("name = \"\"", "invalid function name ``"),
        (&format!("name = \"{}\"", "x".repeat(65)), "1 to 64 letters"),
        ("architecture = \"aarch64\"", "expected `x86_64` or `arm64`"),
        ("memory = 127", "`memory` must be 128 to 10240 MB, not 127"),
        ("memory = 10241", "not 10241"),
        ("timeout = 59", "`timeout` must be 60 to 900 seconds"),
        ("timeout = 901", "not 901"),
        ("log-retention = 31", "unsupported `log-retention` of 31 days; available: 1, 3, 5, 7, 14, 30"),
        ("engine = \"glue\"", "expected one of `auto`, `lambda`, `step-functions`"),
        ("workers = 0", "`workers` must be 1 to 1000 shards, not 0"),
        ("shard-size = 99", "`shard-size` must be 100 to 10000 operations, not 99"),
        ("retries = 3", "`retries` must be 0 to 2 times"),
        ("queues = [\"builds\"]", "invalid queue `builds`"),
        ("queues = [\"arn:aws:sns:eu-west-1:123456789012:builds\"]", "invalid queue"),
        ("event-age = 21601", "`event-age` must be 60 to 21600 seconds"),
        ("alarm-topic = \"arn:aws:sqs:eu-west-1:123456789012:x\"", "invalid topic `arn:"),
        ("alarm-topic = \"arn:aws:sns:eu-west-1:123456789012:${x}\"", "invalid topic `arn:"),
        ("ephemeral-storage = 512", "unknown field `ephemeral-storage`"),
    ] {
        let refused = parse(&format!("[function]\n{fields}")).unwrap_err();
        assert!(refused.contains(message), "{fields}: {refused}");
    }
}
