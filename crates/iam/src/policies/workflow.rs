//! The workflow file of a CI job that publishes a site, or uploads its builds.
//!
//! Names are checked by [`trust`](super::trust): they have neither control characters nor `$`, so they are safe in
//! quotes in YAML and are no expressions of GitHub Actions.

use std::fmt::Write as _;

use tidegate_core::location::Location;

use super::{TrustedIdentity, TrustedJobs};
use crate::document::Partition;

/// The audience that `aws-actions/configure-aws-credentials` requests by default.
const GITHUB_AUDIENCE: &str = "sts.amazonaws.com";

/// What the job does with what it built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobTask {
    /// Publish it.
    Publish,
    /// Upload it as a zip file to `builds`, from where the Lambda function publishes it.
    Upload(Location),
}

/// A job that publishes a site.
#[derive(Debug, Clone)]
pub struct CiWorkflow<'a> {
    /// The jobs that the role trusts: the workflow runs for these.
    pub identity: &'a TrustedIdentity,
    /// Name of the site.
    pub site: &'a str,
    /// What the job does.
    pub task: JobTask,
    /// Directory that the build writes.
    pub directory: &'a str,
    /// ARN of the role.
    pub role: &'a str,
    /// Region of the buckets.
    pub region: &'a str,
}

/// A text in double quotes. JSON strings are YAML strings.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text as one word of a shell.
fn shell(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

const INSTALL: &str = r#"git clone --depth 1 https://github.com/tidegate/tidegate "$HOME/tidegate-source" && cargo install --locked --path "$HOME/tidegate-source/crates/cli""#;

impl CiWorkflow<'_> {
    /// Where the file belongs in the repository.
    #[must_use]
    pub fn path(&self) -> &'static str {
        match self.identity {
            TrustedIdentity::GitHub { .. } => ".github/workflows/publish.yml",
            TrustedIdentity::GitLab { .. } => ".gitlab-ci.yml",
        }
    }

    /// The file, with a final line feed.
    #[must_use]
    pub fn text(&self) -> String {
        match self.identity {
            TrustedIdentity::GitHub { jobs, .. } => self.github(jobs),
            TrustedIdentity::GitLab { jobs, .. } => self.gitlab(jobs),
        }
    }

    /// The commands after the build. `commit` is the variable with the commit.
    fn commands(&self, commit: &str) -> Vec<String> {
        let directory = shell(self.directory);
        match &self.task {
            JobTask::Publish => vec![format!(
                "tidegate publish {} --from {directory} --release \"${commit}\" --commit-time \"$(git log -1 --format=%ct)\"",
                self.site
            )],
            JobTask::Upload(builds) => {
                let (bucket, key) = (builds.bucket.as_str(), shell(&format!("{}", builds.prefix)));
                vec![
                    format!("(cd {directory} && zip -qr - .) > site.zip"),
                    format!(
                        "aws s3api put-object --bucket {bucket} --key {key}\"${commit}.zip\" --body site.zip --if-none-match '*'"
                    ),
                ]
            }
        }
    }

    fn github(&self, jobs: &[TrustedJobs]) -> String {
        let mut text = format!("name: {}\non:\n", quoted(&format!("Publish {}", self.site)));
        let names = |pick: fn(&TrustedJobs) -> Option<&String>| -> String {
            jobs.iter().filter_map(pick).map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
        };
        let branches = names(|one| if let TrustedJobs::Branch(name) = one { Some(name) } else { None });
        let tags = names(|one| if let TrustedJobs::Tag(name) = one { Some(name) } else { None });
        let pull_requests = jobs.contains(&TrustedJobs::PullRequests);
        let has_push = !branches.is_empty() || !tags.is_empty();
        if has_push {
            text += "  push:\n";
            for (kind, names) in [("branches", branches), ("tags", tags)] {
                if !names.is_empty() {
                    let _ = writeln!(text, "    {kind}: [{names}]");
                }
            }
        }
        if pull_requests {
            text += "  pull_request:\n";
        }
        if !has_push && !pull_requests {
            text += "  push:\n    branches: [\"main\"]\n";
        }
        text += "\npermissions:\n  contents: read\n  id-token: write                  # request an OIDC token\n\n";
        text += "jobs:\n  publish:\n    runs-on: ubuntu-latest\n";
        let environment = jobs.iter().find_map(|one| match one {
            TrustedJobs::Environment(name) => Some(name),
            _ => None,
        });
        if let Some(environment) = environment {
            let _ = writeln!(text, "    environment: {}", quoted(environment));
        }
        text += "    steps:\n      - uses: actions/checkout@v5\n\n";
        let comment = format!("# your build; writes the site to {}", self.directory);
        let _ = writeln!(text, "      - run: make site             {comment}\n");
        if self.task == JobTask::Publish {
            text += "      - uses: actions/cache@v4\n        id: tidegate\n        with:\n          path: ~/.cargo/bin/tidegate\n";
            let _ = writeln!(text, "          key: tidegate-{}", env!("CARGO_PKG_VERSION"));
            text += "      - if: steps.tidegate.outputs.cache-hit != 'true'\n        run: |\n";
            let _ = writeln!(text, "          {INSTALL}\n");
        }
        text += "      - uses: aws-actions/configure-aws-credentials@v6\n        with:\n";
        let _ = writeln!(text, "          role-to-assume: {}", self.role);
        let _ = writeln!(text, "          aws-region: {}", self.region);
        let audience = self.audience();
        if audience != GITHUB_AUDIENCE {
            let _ = writeln!(text, "          audience: {}", quoted(&audience));
        }
        text += "\n      - run: |\n";
        for command in self.commands("GITHUB_SHA") {
            let _ = writeln!(text, "          {command}");
        }
        text
    }

    fn audience(&self) -> String {
        self.identity.audience(&Partition::of(self.role))
    }

    fn gitlab(&self, jobs: &[TrustedJobs]) -> String {
        let rules = jobs.iter().filter_map(|one| match one {
            TrustedJobs::Branch(name) => Some(rule("$CI_COMMIT_BRANCH", name)),
            TrustedJobs::Tag(name) => Some(rule("$CI_COMMIT_TAG", name)),
            TrustedJobs::PullRequests | TrustedJobs::Environment(_) => None,
        });
        let mut rules: Vec<String> = rules.collect();
        if rules.is_empty() {
            rules.push("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH".to_owned());
        }
        let image = if self.task == JobTask::Publish { "rust:1" } else { "public.ecr.aws/aws-cli/aws-cli:latest" };
        let mut text = format!("publish:\n  image:\n    name: {image}\n    entrypoint: [\"\"]\n  rules:\n");
        for rule in rules {
            let _ = writeln!(text, "    - if: {}", quoted(&rule));
        }
        let _ = writeln!(text, "  id_tokens:\n    AWS_TOKEN:\n      aud: {}", quoted(&self.audience()));
        let _ = writeln!(text, "  variables:\n    AWS_REGION: {}\n    AWS_ROLE_ARN: {}", self.region, self.role);
        text += "    AWS_WEB_IDENTITY_TOKEN_FILE: $CI_PROJECT_DIR/.aws-token\n  script:\n";
        let _ =
            writeln!(text, "    - make site                      # your build; writes the site to {}", self.directory);
        let setup = match self.task {
            JobTask::Publish => vec![INSTALL],
            JobTask::Upload(_) => vec!["yum install -y zip"],
        };
        let token = ["printf %s \"$AWS_TOKEN\" > \"$AWS_WEB_IDENTITY_TOKEN_FILE\""];
        for command in setup.iter().chain(&token) {
            let _ = writeln!(text, "    - {}", quoted(command));
        }
        for command in self.commands("CI_COMMIT_SHA") {
            let _ = writeln!(text, "    - {}", quoted(&command));
        }
        text
    }
}

/// A rule of GitLab for a name, or for names that match a pattern.
fn rule(variable: &str, name: &str) -> String {
    if !name.contains('*') {
        return format!("{variable} == {}", quoted(name));
    }
    let mut pattern = String::new();
    for c in name.chars() {
        match c {
            '*' => pattern += ".*",
            c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => pattern.push(c),
            c => {
                pattern.push('\\');
                pattern.push(c);
            }
        }
    }
    format!("{variable} =~ /^{pattern}$/")
}
