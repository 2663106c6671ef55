//! The rules for names: files that a site does not publish on purpose.

use tidegate_plugin::glob::{GlobList, IgnoreGlob};

/// A rule for names.
#[derive(Debug)]
pub(crate) struct NameRule {
    /// Its name in settings and findings.
    pub(crate) name: &'static str,
    /// What the files are, for messages.
    pub(crate) what: &'static str,
    /// Patterns. The last match decides.
    globs: &'static [&'static str],
    /// Where the names are documented. Only for readers.
    #[expect(dead_code, reason = "for readers of this table")]
    source: &'static str,
}

pub(crate) static RULES: &[NameRule] = &[
    NameRule {
        name: "environment-file",
        what: "an environment file",
        globs: &[
            ".env",
            ".env.*",
            ".env-*",
            "*.env",
            ".envrc",
            "!.env.example",
            "!.env.sample",
            "!.env.template",
            "!.env.dist",
            "!.env.schema",
            "!*.example.env",
            "!*.sample.env",
        ],
        source: "dotenv; direnv; Vite, env files",
    },
    NameRule {
        name: "version-control",
        what: "a part of a repository",
        globs: &[".git/", ".git", ".svn/", ".hg/", ".bzr/", "CVS/"],
        source: "gitrepository-layout(5)",
    },
    NameRule {
        name: "password-file",
        what: "a file with passwords or keys",
        globs: &[
            ".htpasswd",
            ".htdigest",
            ".pgpass",
            ".my.cnf",
            ".netrc",
            "_netrc",
            ".git-credentials",
            ".npmrc",
            ".pypirc",
            ".dockercfg",
            ".docker/config.json",
            ".aws/",
            ".ssh/",
            ".gnupg/",
            ".kube/",
            "id_rsa",
            "id_dsa",
            "id_ecdsa",
            "id_ed25519",
            "*.ppk",
            "*.p12",
            "*.pfx",
            "*.jks",
            "*.keystore",
            "*.kdbx",
            "*.kdb",
            "*.agilekeychain/",
            "*.tfstate",
            "*.tfstate.backup",
            "*.tfvars",
            "wp-config.php",
            "wp-config.php.*",
        ],
        source: "Apache htpasswd(1); netrc(5); the documentation of each tool",
    },
    NameRule {
        name: "backup",
        what: "a backup",
        globs: &[
            "*.bak",
            "*.bak[0-9]",
            "*.backup",
            "*.old",
            "*.orig",
            "*.save",
            "*~",
            "backup.zip",
            "backup.tar*",
            "backup-*.zip",
            "backup-*.tar*",
            "backup_*.zip",
            "backup_*.tar*",
            "backups/",
            "/site.tar.gz",
            "/site.zip",
            "/www.zip",
            "/www.tar.gz",
            "/public_html.zip",
            "/htdocs.zip",
        ],
        source: "OWASP WSTG-CONF-04",
    },
    NameRule {
        name: "database",
        what: "a database or a dump of one",
        globs: &[
            "*.sql",
            "*.sql.gz",
            "*.sql.zip",
            "*.sql.bz2",
            "*.sql.xz",
            "*.sql.zst",
            "*.dump",
            "*.pgdump",
            "*.sqlite",
            "*.sqlite3",
            "*.db3",
            "*.mdb",
            "*.accdb",
            "dump.rdb",
            "*.bson",
            "*.frm",
            "*.ibd",
        ],
        source: "OWASP WSTG-CONF-04",
    },
    NameRule {
        name: "editor-file",
        what: "a temporary file of an editor",
        globs: &[
            "*.swp",
            "*.swo",
            "*.swn",
            ".*.un~",
            "\\#*\\#",
            ".\\#*",
            ".idea/",
            ".vscode/",
            "*.kate-swp",
            ".DS_Store",
        ],
        source: "Vim swap-file; Emacs, Auto-Saving; OWASP WSTG-CONF-04",
    },
    NameRule {
        name: "history",
        what: "a log or a history",
        globs: &[
            ".bash_history",
            ".zsh_history",
            ".sh_history",
            ".psql_history",
            ".mysql_history",
            ".python_history",
            ".node_repl_history",
            ".viminfo",
            "npm-debug.log*",
            "yarn-error.log",
            "yarn-debug.log*",
            ".pnpm-debug.log*",
        ],
        source: "bash(1); npm, logging",
    },
];

/// The patterns of all rules in one list, so that a key is matched once.
#[derive(Debug)]
pub(crate) struct Names {
    list: GlobList,
    /// By position in `list`.
    rules: Vec<&'static NameRule>,
}

impl Names {
    pub(crate) fn new() -> Self {
        let globs = RULES.iter().flat_map(|rule| rule.globs.iter().map(move |glob| (rule, glob)));
        let parsed: Vec<_> =
            globs.filter_map(|(rule, glob)| IgnoreGlob::parse(glob).ok().map(|glob| (rule, glob))).collect();
        Self {
            rules: parsed.iter().map(|(rule, _)| *rule).collect(),
            list: parsed.into_iter().map(|(_, glob)| glob).collect(),
        }
    }

    pub(crate) fn matching(&self, key: &str) -> Option<&'static NameRule> {
        let (position, glob) = self.list.last_match(key)?;
        self.rules.get(position).copied().filter(|_| !glob.is_exception())
    }
}

#[cfg(test)]
mod tests {
    use super::{IgnoreGlob, Names, RULES};

    #[test]
    fn every_glob_is_valid() {
        for glob in RULES.iter().flat_map(|rule| rule.globs) {
            assert!(IgnoreGlob::parse(glob).is_ok(), "{glob}");
        }
    }

    #[test]
    fn names_of_each_kind() {
        let names = Names::new();
        let table = [
            (".env", Some("environment-file")),
            ("api/.env.production", Some("environment-file")),
            ("prod.env", Some("environment-file")),
            (".env.example", None),
            ("a/.env.sample", None),
            (".git/HEAD", Some("version-control")),
            ("docs/.git", Some("version-control")),
            ("git/index.html", None),
            ("admin/.htpasswd", Some("password-file")),
            ("keys/id_rsa", Some("password-file")),
            ("keys/id_rsa.pub", None),
            ("index.html.bak", Some("backup")),
            ("index.html~", Some("backup")),
            ("backup-2024-01-01.tar.gz", Some("backup")),
            ("site.zip", Some("backup")),
            ("downloads/site.zip", None),
            ("db/dump.sql.gz", Some("database")),
            ("app.sqlite3", Some("database")),
            (".index.html.swp", Some("editor-file")),
            ("#index.html#", Some("editor-file")),
            (".#index.html", Some("editor-file")),
            (".vscode/settings.json", Some("editor-file")),
            ("logs/npm-debug.log", Some("history")),
            ("index.html", None),
            ("environment/index.html", None),
            ("old/index.html", None),
            ("sql/index.html", None),
            (".well-known/security.txt", None),
        ];
        for (key, expected) in table {
            assert_eq!(names.matching(key).map(|rule| rule.name), expected, "{key}");
        }
    }
}
