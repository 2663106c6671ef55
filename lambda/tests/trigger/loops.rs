//! Configurations that would trigger themselves.

use tidegate_core::config::Config;

fn refused(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

#[test]
fn refuses_a_target_or_state_inside_of_a_source() {
    let text = |state: &str, target: &str, field: &str, place: &str| {
        format!("{state}[[site]]\nname = \"docs\"\ntarget = \"{target}\"\n{field} = \"{place}\"\n")
    };
    for (target, field, place) in [
        ("s3://acme/b/out/", "builds", "s3://acme/b/"),
        ("s3://acme/", "builds", "s3://acme/b/"),
        ("s3://acme/b/", "builds", "s3://acme/b/"),
        ("s3://acme/b/out/", "staged", "s3://acme/b/"),
        ("s3://acme/b/", "staged", "s3://acme/b/x.zip"),
    ] {
        assert!(
            refused(&text("", target, field, place))
                .contains(&format!("could trigger a publish of `docs`: `target` overlaps `{field}`")),
            "{place}"
        );
    }
    for (state, field, place) in [
        ("s3://acme/b/state/", "builds", "s3://acme/b/"),
        ("s3://acme/", "builds", "s3://acme/b/"),
        ("s3://acme/b/", "staged", "s3://acme/b/"),
        ("s3://acme/b/", "staged", "s3://acme/b/x.zip"),
    ] {
        let error = refused(&text(&format!("state = \"{state}\"\n"), "s3://docs/", field, place));
        assert!(error.contains(&format!("`state` overlaps `{field}` of the site `docs`")), "{error}");
    }
    assert!(
        Config::parse(&text("state = \"s3://acme/.tidegate/\"\n", "s3://acme/out/", "builds", "s3://acme/b/")).is_ok()
    );
}

#[test]
fn refuses_a_target_inside_of_the_source_of_another_site() {
    let error = refused(
        "[[site]]\nname = \"a\"\ntarget = \"s3://acme/b/a/\"\n[[site]]\nname = \"b\"\ntarget = \"s3://blog/\"\nbuilds = \"s3://acme/b/\"\n",
    );
    assert!(
        error.contains("publishing the site `a` could trigger a publish of `b`: `target` overlaps `builds`"),
        "{error}"
    );
}
