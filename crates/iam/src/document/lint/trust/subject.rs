//! The subjects of tokens of CI systems: which part names the organization and which the repository, and whether a pattern
//! leaves one of them open.
//!
//! Sources: GitHub Docs, "OpenID Connect reference"; GitLab Docs, "ID token authentication"; Buildkite, CircleCI,
//! HCP Terraform, Vercel, Azure Pipelines, Bitbucket and Amazon EKS documentation of their tokens.

use super::super::quoted;
use super::provider::is_github;

/// A piece of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubjectPiece {
    /// A fixed text.
    Text(&'static str),
    /// The name of what is paid for, and registered by anyone: an organization, a group, a team.
    Owner,
    /// A name within it: a repository, a project, a pipeline.
    Name,
    /// A colon, or the end of the subject.
    End,
}

use SubjectPiece::{End, Name, Owner, Text};

type SubjectGrammar = &'static [SubjectPiece];

const GITHUB: [SubjectGrammar; 8] = [
    &[Text("repo:"), Owner, Text("/"), Name, Text(":")],
    &[Text("repository:"), Owner, Text("/"), Name, End],
    &[Text("repository_owner:"), Owner, End],
    &[Text("repository_owner_id:"), Owner, End],
    &[Text("repository_id:"), Owner, End],
    &[Text("job_workflow_ref:"), Owner, Text("/"), Name, Text("/")],
    &[Text("workflow_ref:"), Owner, Text("/"), Name, Text("/")],
    &[Text("enterprise:"), Owner, End],
];
const GITLAB: SubjectGrammar = &[Text("project_path:"), Owner, Text("/"), Name, Text(":")];
const BUILDKITE: SubjectGrammar = &[Text("organization:"), Owner, Text(":pipeline:"), Name, Text(":")];
const TERRAFORM: SubjectGrammar =
    &[Text("organization:"), Owner, Text(":project:"), Name, Text(":workspace:"), Name, Text(":")];
const CIRCLECI: SubjectGrammar = &[Text("org/"), Owner, Text("/project/"), Name, Text("/")];
const VERCEL: SubjectGrammar = &[Text("owner:"), Owner, Text(":project:"), Name, Text(":")];
const AZURE: SubjectGrammar = &[Text("sc://"), Owner, Text("/"), Name, Text("/")];
const KUBERNETES: SubjectGrammar = &[Text("system:serviceaccount:"), Owner, Text(":"), Name];
const BITBUCKET: SubjectGrammar = &[Text("{"), Owner, Text("}:")];

/// The grammars of a provider, and the words for what they name.
struct SubjectForms {
    grammars: &'static [SubjectGrammar],
    /// A subject that is fully named.
    example: &'static str,
    owner: &'static str,
    name: &'static str,
}

const GITHUB_FORMS: SubjectForms = SubjectForms {
    grammars: &GITHUB,
    example: "repo:OWNER@ID/REPO@ID:ref:refs/heads/BRANCH",
    owner: "organization",
    name: "repository",
};
const GITLAB_FORMS: SubjectForms = SubjectForms {
    grammars: &[GITLAB],
    example: "project_path:GROUP/PROJECT:ref_type:branch:ref:BRANCH",
    owner: "group",
    name: "project",
};
const TERRAFORM_FORMS: SubjectForms = SubjectForms {
    grammars: &[TERRAFORM],
    example: "organization:ORG:project:PROJECT:workspace:WORKSPACE:run_phase:apply",
    owner: "organization",
    name: "project or workspace",
};
const KUBERNETES_FORMS: SubjectForms = SubjectForms {
    grammars: &[KUBERNETES],
    example: "system:serviceaccount:NAMESPACE:NAME",
    owner: "namespace",
    name: "service account",
};
/// Providers that all organizations share, or whose issuers name the organization, by the host of the issuer.
const HOSTED: [(&str, SubjectForms); 8] = [
    ("token.actions.githubusercontent.com", GITHUB_FORMS),
    ("gitlab.com", GITLAB_FORMS),
    ("app.terraform.io", TERRAFORM_FORMS),
    (
        "agent.buildkite.com",
        SubjectForms {
            grammars: &[BUILDKITE],
            example: "organization:ORG:pipeline:PIPELINE:ref:refs/heads/BRANCH:*",
            owner: "organization",
            name: "pipeline",
        },
    ),
    (
        "oidc.circleci.com",
        SubjectForms {
            grammars: &[CIRCLECI],
            example: "org/ORG_ID/project/PROJECT_ID/user/*",
            owner: "organization",
            name: "project",
        },
    ),
    (
        "oidc.vercel.com",
        SubjectForms {
            grammars: &[VERCEL],
            example: "owner:TEAM:project:PROJECT:environment:production",
            owner: "team",
            name: "project",
        },
    ),
    (
        "api.bitbucket.org",
        SubjectForms { grammars: &[BITBUCKET], example: "{REPOSITORY_UUID}:*", owner: "repository", name: "step" },
    ),
    (
        "vstoken.dev.azure.com",
        SubjectForms {
            grammars: &[AZURE],
            example: "sc://ORG/PROJECT/CONNECTION",
            owner: "organization",
            name: "project",
        },
    ),
];
/// Servers of one's own (GitHub Enterprise Server, GitLab, Terraform Enterprise) and clusters, by the beginning of subjects.
const SELF_HOSTED: [(&str, SubjectForms); 4] = [
    ("repo:", GITHUB_FORMS),
    ("project_path:", GITLAB_FORMS),
    ("organization:", TERRAFORM_FORMS),
    ("system:", KUBERNETES_FORMS),
];

fn forms_of(host: &str, subject: &str) -> Option<&'static SubjectForms> {
    let name = host.split('/').next().unwrap_or(host);
    let hosted = HOSTED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    hosted.or_else(|| SELF_HOSTED.iter().find(|(start, _)| subject.starts_with(start))).map(|(_, forms)| forms)
}

/// What is wrong with a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SubjectFlaw {
    /// It matches every owner.
    EveryOwner,
    /// The pattern of the owner also matches others.
    OpenOwner(String),
    /// The pattern of a name also matches others of the same owner.
    OpenName(String),
    /// It names nothing that only one organization can have.
    NoOwner,
    /// No token has such a subject, unless its form was customized.
    Unusual,
    /// It has wildcards where GitHub writes the ids of owner and repository.
    OpenIds,
    /// Its form is that of GitHub's repositories of before 15 July 2026.
    OldForm,
}

impl SubjectFlaw {
    /// What is wrong and how to correct it, for the subject `text` of the provider `host`.
    pub(super) fn message(&self, host: &str, text: &str) -> String {
        let (owner, name, example) = forms_of(host, text)
            .map_or(("organization", "name", "the whole subject"), |forms| (forms.owner, forms.name, forms.example));
        match self {
            Self::EveryOwner => {
                format!("`sub` matches every {owner}: name the {owner} or the {name}, such as `{example}`")
            }
            Self::OpenOwner(pattern) => format!(
                "{} also matches every {owner} whose name fits, which others can register: end the name before the wildcard, such as `{example}`",
                quoted(pattern)
            ),
            Self::OpenName(pattern) => format!(
                "{} also matches every other {name} whose name fits: end the name before the wildcard, such as `{example}`",
                quoted(pattern)
            ),
            Self::NoOwner => format!(
                "{} does not name the {owner}, so tokens of any {owner} can have it: begin with it, such as `{example}`",
                quoted(text)
            ),
            Self::Unusual => format!(
                "no token has the subject {} unless its form is customized: write one such as `{example}`",
                quoted(text)
            ),
            Self::OpenIds => format!(
                "{} trusts these names, also after another account registers them: write the ids of owner and repository, which `gh api repos/OWNER/REPO` shows",
                quoted(text)
            ),
            Self::OldForm => format!(
                "{} is not the subject of repositories created, renamed or transferred since 2026-07-15, and names can be registered again: add `{example}` with the ids that `gh api repos/OWNER/REPO` shows",
                quoted(text)
            ),
        }
    }

    /// Whether it may be intended.
    pub(super) fn is_note(&self) -> bool {
        matches!(self, Self::OpenIds)
    }
}

/// The flaw of the subject `text` of the provider `host`. In a pattern, `*` and `?` are wildcards.
pub(super) fn subject_flaw(host: &str, text: &str, is_pattern: bool) -> Option<SubjectFlaw> {
    let wildcards: &[char] = if is_pattern { &['*', '?'] } else { &[] };
    if text.starts_with(wildcards) {
        return Some(SubjectFlaw::EveryOwner);
    }
    let Some(forms) = forms_of(host, text) else {
        // An unknown provider: a name that goes on after the wildcard is open.
        let (fixed, _) = text.split_once(wildcards)?;
        let is_open = !fixed.ends_with([':', '/', '|', '@', '#', '=']);
        return is_open.then(|| SubjectFlaw::OpenName(text.to_owned()));
    };
    let walks: Vec<SubjectWalk> = forms.grammars.iter().map(|grammar| walk(grammar, text, wildcards)).collect();
    // The grammar that the text follows furthest is its own.
    let best = walks.iter().max_by_key(|walk| walk.pieces)?;
    if best.pieces == 0 {
        let is_open = walks.iter().any(|walk| walk.flaw == Some(SubjectFlaw::EveryOwner));
        return Some(if is_open { SubjectFlaw::EveryOwner } else { SubjectFlaw::NoOwner });
    }
    let is_old = is_github(host) && text.starts_with("repo:") && !best.has_ids;
    best.flaw.clone().or_else(|| is_old.then_some(SubjectFlaw::OldForm))
}

/// How a text follows a grammar.
#[derive(Default)]
struct SubjectWalk {
    /// How many pieces were read.
    pieces: usize,
    flaw: Option<SubjectFlaw>,
    /// Whether a name is followed by `@` and an id.
    has_ids: bool,
}

fn walk(grammar: SubjectGrammar, text: &str, wildcards: &[char]) -> SubjectWalk {
    let mut walk = SubjectWalk::default();
    let mut rest = text;
    let mut has_owner = false;
    for (index, piece) in grammar.iter().enumerate() {
        if *piece == End {
            walk.pieces = walk.pieces.saturating_add(1);
            return walk;
        }
        if let Text(literal) = piece {
            let Some(after) = rest.strip_prefix(literal) else {
                let fixed = rest.split(wildcards).next().unwrap_or(rest);
                let is_open = fixed.len() < rest.len() && literal.starts_with(fixed);
                let flaw = match (is_open, has_owner) {
                    (true, true) => None,
                    (true, false) => Some(SubjectFlaw::EveryOwner),
                    (false, _) => (walk.pieces > 0).then_some(SubjectFlaw::Unusual),
                };
                walk.flaw = walk.flaw.or(flaw);
                return walk;
            };
            rest = after;
            walk.pieces = walk.pieces.saturating_add(1);
            continue;
        }
        let end = match grammar.get(index.saturating_add(1)) {
            Some(Text(next)) => next.chars().next(),
            Some(End) => Some(':'),
            _ => None,
        };
        let length = end.and_then(|end| rest.find(end)).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        walk.pieces = walk.pieces.saturating_add(1);
        walk.has_ids |= name.contains('@');
        let flaw = name_flaw(name, *piece == Owner, wildcards);
        // Ids matter less than names.
        if flaw.is_some() && (walk.flaw.is_none() || walk.flaw == Some(SubjectFlaw::OpenIds)) {
            walk.flaw = flaw;
        }
        has_owner = true;
        // Whatever follows a name that is a wildcard belongs to the same owner.
        if after.is_empty() && name.ends_with(wildcards) || is_all(name, wildcards) {
            return walk;
        }
        rest = after;
    }
    walk
}

fn is_all(name: &str, wildcards: &[char]) -> bool {
    !name.is_empty() && name.chars().all(|c| wildcards.contains(&c))
}

fn name_flaw(name: &str, is_owner: bool, wildcards: &[char]) -> Option<SubjectFlaw> {
    let (fixed, id) = name.split_once('@').map_or((name, None), |(name, id)| (name, Some(id)));
    if fixed.is_empty() {
        return Some(if is_owner { SubjectFlaw::NoOwner } else { SubjectFlaw::Unusual });
    }
    // `group/*` is closed, `group*` is not.
    let is_open = fixed.split('/').any(|part| part.contains(wildcards) && !is_all(part, wildcards));
    match (is_owner, is_open) {
        (true, _) if fixed.starts_with(wildcards) => Some(SubjectFlaw::EveryOwner),
        (true, true) => Some(SubjectFlaw::OpenOwner(name.to_owned())),
        (false, true) => Some(SubjectFlaw::OpenName(name.to_owned())),
        _ => id.filter(|id| id.contains(wildcards)).map(|_| SubjectFlaw::OpenIds),
    }
}
