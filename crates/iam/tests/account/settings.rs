//! `[function]`: its defaults, its limits, and that nothing else is taken.

use tidegate_core::config::{Config, FunctionConfig};

fn parse(table: &str) -> Result<FunctionConfig, String> {
    let text = format!("{table}\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs.acme.com/\"\n");
    Config::parse(&text).map(|config| config.function).map_err(|error| error.to_string())
}

#[test]
fn a_configuration_without_the_table_has_the_defaults() {
    let function = parse("").unwrap();
    assert_eq!(parse("[function]").unwrap(), function);
    assert_eq!(function.name.as_str(), "tidegate");
    assert_eq!(function.architecture.as_str(), "x86_64");
    assert_eq!((function.memory.get(), function.timeout.get(), function.log_retention.get()), (1024, 900, 30));
    assert_eq!((function.retries.get(), function.event_age.get(), function.alarm_topic), (2, 21_600, None));
}

#[test]
fn invalid_values_and_unknown_fields_are_refused() {
    for (fields, message) in [
        ("name = \"a b\"", "invalid function name `a b`"),
        ("name = \"\"", "invalid function name ``"),
        (&format!("name = \"{}\"", "x".repeat(65)), "1 to 64 letters"),
        ("architecture = \"aarch64\"", "expected `x86_64` or `arm64`"),
        ("memory = 127", "`memory` is 128 to 10240 MB, not 127"),
        ("memory = 10241", "not 10241"),
        ("timeout = 59", "`timeout` is 60 to 900 seconds"),
        ("timeout = 901", "not 901"),
        ("log-retention = 31", "CloudWatch Logs takes 1, 3, 5, 7, 14, 30"),
        ("retries = 3", "`retries` is 0 to 2 times"),
        ("event-age = 21601", "`event-age` is 60 to 21600 seconds"),
        ("alarm-topic = \"arn:aws:sqs:eu-west-1:123456789012:x\"", "is not a topic"),
        ("alarm-topic = \"arn:aws:sns:eu-west-1:123456789012:${x}\"", "is not a topic"),
        ("ephemeral-storage = 512", "unknown field `ephemeral-storage`"),
    ] {
        let refused = parse(&format!("[function]\n{fields}")).unwrap_err();
        assert!(refused.contains(why), "{fields}: {refused}");
    }
}
