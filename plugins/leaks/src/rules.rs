//! The rules for content: the form of each secret, with the source of that form.

use tidegate_plugin::violations::Response;

use crate::check::{age_key, both_cases, crc32_base62, json_web_token, mixed, random};
use crate::detect;
use crate::format::Part::{self, Of, Text};
use crate::format::Set::{
    Alphanumeric, Base64, Base64Url, Dashed, Digits, Dotted, Hex, LowerAlphanumeric, UpperAlphanumeric,
};

/// A rule for content.
#[derive(Debug)]
pub(crate) struct ContentRule {
    /// Its name in settings and findings.
    pub(crate) name: &'static str,
    /// What it finds, for messages.
    pub(crate) what: &'static str,
    /// Texts of which each secret has one.
    pub(crate) keywords: &'static [&'static str],
    pub(crate) form: Form,
    /// The response if the settings have none for the rule. `None` is that for all rules.
    pub(crate) response: Option<Response>,
    /// Where the form is documented. Only for readers.
    #[expect(dead_code, reason = "for readers of this table")]
    pub(crate) source: &'static str,
}

/// How a secret is recognized at a keyword.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// The keyword is followed by these parts, which the function checks.
    Token(&'static [Part], fn(&[u8]) -> bool),
    /// The function finds the secret around a keyword at a position.
    Around(fn(&[u8], usize) -> Option<detect::FoundSecret>),
}

use Form::{Around, Token};

const fn rule(
    name: &'static str,
    what: &'static str,
    keywords: &'static [&'static str],
    form: Form,
    source: &'static str,
) -> ContentRule {
    ContentRule { name, what, keywords, form, response: None, source }
}

/// A rule for something that is often published on purpose.
const fn reported(
    name: &'static str,
    what: &'static str,
    keywords: &'static [&'static str],
    form: Form,
    source: &'static str,
) -> ContentRule {
    ContentRule { name, what, keywords, form, response: Some(Response::Report), source }
}

/// The rules. Several lines with one name are one rule with several forms.
#[rustfmt::skip]
pub(crate) static RULES: &[ContentRule] = &[
    // Keys.
    rule("private-key", "a private key", &["-----BEGIN ", "PuTTY-User-Key-File-"], Around(detect::private_key), "RFC 7468; RFC 9580; OpenSSH PROTOCOL.key; PuTTY manual, appendix C"),
    rule("private-key", "a private key of age", &["AGE-SECRET-KEY-1"], Token(&[Of(UpperAlphanumeric, 58, 58)], age_key), "C2SP age specification"),
    rule("private-key", "a private JSON Web Key", &["kty\""], Around(detect::json_web_key), "RFC 7517; RFC 7518, section 6"),

    // Clouds.
    rule("aws-access-key", "an AWS access key", &["AKIA", "ASIA"], Around(detect::aws_access_key), "AWS IAM user guide, IAM identifiers"),
    rule("aws-secret-key", "an AWS secret access key", &["ecretAccessKey", "ecret_access_key", "ECRET_ACCESS_KEY", "ws_secret_key", "WS_SECRET_KEY"], Around(detect::aws_secret_key), "AWS IAM user guide, access keys"),
    reported("google-api-key", "a Google API key", &["AIza"], Token(&[Of(Base64Url, 35, 35)], both_cases), "Google Cloud, Using API keys"),
    rule("google-token", "a Google OAuth client secret", &["GOCSPX-"], Token(&[Of(Base64Url, 28, 28)], random), "Google Cloud, OAuth clients"),
    rule("google-token", "a Google access token", &["ya29."], Token(&[Of(Dotted, 60, 1_000)], random), "Google Cloud, token types"),
    rule("azure-key", "an Azure storage key", &["AccountKey=", "AccessKey="], Token(&[Of(Base64, 86, 86), Text("==")], random), "Microsoft, storage connection strings"),
    rule("azure-key", "an Azure client secret", &["Q~"], Around(detect::azure_client_secret), "Microsoft Purview, Azure AD client secret"),
    rule("alibaba-key", "an Alibaba Cloud access key", &["LTAI"], Token(&[Of(Alphanumeric, 20, 20)], mixed), "Alibaba Cloud, AccessKey pairs"),
    rule("digitalocean-token", "a DigitalOcean token", &["dop_v1_", "doo_v1_", "dor_v1_"], Token(&[Of(Hex, 64, 64)], random), "DigitalOcean API, authentication"),
    rule("cloudflare-key", "a Cloudflare origin CA key", &["v1.0-"], Token(&[Of(Hex, 24, 24), Text("-"), Of(Hex, 146, 146)], random), "Cloudflare, origin CA keys"),
    rule("fly-token", "a Fly.io token", &["fm1r_", "fm1a_", "fm2_"], Token(&[Of(Base64, 100, 2_000)], random), "Fly.io, access tokens"),
    rule("netlify-token", "a Netlify token", &["nfp_", "nfc_"], Token(&[Of(Alphanumeric, 36, 40)], mixed), "Netlify API, authentication"),
    rule("heroku-key", "a Heroku API key", &["HRKU-"], Token(&[Of(Base64Url, 36, 80)], mixed), "Heroku, platform API"),
    rule("supabase-key", "a Supabase secret key", &["sb_secret_"], Token(&[Of(Base64Url, 22, 80)], random), "Supabase, API keys"),
    rule("supabase-key", "a Supabase access token", &["sbp_"], Token(&[Of(Hex, 40, 40)], random), "Supabase, management API"),
    rule("planetscale-token", "a PlanetScale token", &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], Token(&[Of(Dotted, 32, 64)], mixed), "PlanetScale API, authentication"),

    // Code and packages.
    rule("github-token", "a GitHub token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], Token(&[Of(Alphanumeric, 36, 36)], crc32_base62), "GitHub, Behind GitHub's new authentication token formats"),
    rule("github-token", "a GitHub token", &["github_pat_"], Token(&[Of(Alphanumeric, 22, 22), Text("_"), Of(Alphanumeric, 59, 59)], mixed), "GitHub, token formats"),
    rule("gitlab-token", "a GitLab token", &["glpat-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-", "glffct-", "GR1348941"], Token(&[Of(Dotted, 20, 300)], random), "GitLab, token overview"),
    rule("npm-token", "an npm token", &["npm_"], Token(&[Of(Alphanumeric, 36, 36)], crc32_base62), "GitHub, Announcing npm's new access token format"),
    rule("npm-token", "a token of an npm registry", &["_authToken="], Token(&[Of(Dotted, 20, 1_000)], mixed), "npm, .npmrc"),
    rule("pypi-token", "a PyPI token", &["pypi-AgEIcHlwaS5vcmc", "pypi-AgENdGVzdC5weXBpLm9yZw"], Token(&[Of(Base64Url, 50, 1_000)], random), "PyPI, API tokens"),
    rule("rubygems-key", "a RubyGems key", &["rubygems_"], Token(&[Of(Hex, 48, 48)], random), "RubyGems guides, API key scopes"),
    rule("crates-io-token", "a crates.io token", &["cio"], Token(&[Of(Alphanumeric, 32, 32)], detect::crates_io), "crates.io source, util/token.rs"),
    rule("nuget-key", "a NuGet key", &["oy2"], Token(&[Of(LowerAlphanumeric, 43, 43)], mixed), "NuGet, scoped API keys"),
    rule("clojars-token", "a Clojars token", &["CLOJARS_"], Token(&[Of(Hex, 60, 60)], random), "Clojars wiki, deploy tokens"),
    rule("docker-token", "a Docker Hub token", &["dckr_pat_", "dckr_oat_"], Token(&[Of(Base64Url, 27, 40)], random), "Docker, access tokens"),
    rule("artifactory-key", "an Artifactory key", &["AKCp"], Token(&[Of(Alphanumeric, 69, 69)], mixed), "JFrog, API key"),
    rule("atlassian-token", "an Atlassian token", &["ATATT3xFfGF0", "ATCTT3xFfGN0", "ATBB"], Token(&[Of(Dotted, 32, 400)], detect::atlassian), "Atlassian, API tokens"),
    rule("pulumi-token", "a Pulumi token", &["pul-"], Token(&[Of(Hex, 40, 40)], random), "Pulumi, access tokens"),
    rule("terraform-token", "a HCP Terraform token", &[".atlasv1."], Around(detect::terraform), "HashiCorp, API tokens"),
    rule("vault-token", "a Vault token", &["hvs.", "hvb.", "hvr."], Token(&[Of(Base64Url, 90, 400)], random), "HashiCorp Vault, tokens"),
    rule("doppler-token", "a Doppler token", &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."], Token(&[Of(Dotted, 40, 80)], mixed), "Doppler, auth token formats"),
    rule("onepassword-token", "a 1Password service account token", &["ops_eyJ"], Token(&[Of(Base64Url, 250, 4_000)], random), "1Password, service accounts"),
    rule("sentry-token", "a Sentry token", &["sntrys_eyJ"], Token(&[Of(Dotted, 40, 600)], random), "Sentry, organization auth tokens"),
    rule("sentry-token", "a Sentry token", &["sntryu_"], Token(&[Of(Hex, 64, 64)], random), "Sentry, user auth tokens"),
    rule("postman-key", "a Postman key", &["PMAK-"], Token(&[Of(Hex, 24, 24), Text("-"), Of(Hex, 34, 34)], random), "Postman, API keys"),
    rule("linear-key", "a Linear key", &["lin_api_"], Token(&[Of(Alphanumeric, 40, 40)], mixed), "Linear API, authentication"),
    rule("notion-token", "a Notion token", &["ntn_"], Token(&[Of(Digits, 11, 11), Of(Alphanumeric, 35, 35)], mixed), "Notion API, changelog 2024-09-11"),
    rule("figma-token", "a Figma token", &["figd_"], Token(&[Of(Base64Url, 36, 60)], mixed), "Figma API, access tokens"),
    rule("airtable-token", "an Airtable token", &["pat"], Token(&[Of(Alphanumeric, 14, 14), Text("."), Of(Hex, 64, 64)], random), "Airtable, personal access tokens"),
    rule("contentful-token", "a Contentful management token", &["CFPAT-"], Token(&[Of(Base64Url, 43, 43)], random), "Contentful, personal access tokens"),
    rule("databricks-token", "a Databricks token", &["dapi"], Token(&[Of(Hex, 32, 32)], random), "Databricks, personal access tokens"),
    rule("grafana-token", "a Grafana token", &["glsa_"], Token(&[Of(Alphanumeric, 32, 32), Text("_"), Of(Hex, 8, 8)], random), "Grafana, service accounts"),
    rule("grafana-token", "a Grafana Cloud token", &["glc_eyJ"], Token(&[Of(Base64, 32, 400)], random), "Grafana Cloud, access policies"),
    rule("new-relic-key", "a New Relic key", &["NRAK-"], Token(&[Of(UpperAlphanumeric, 27, 27)], random), "New Relic, API keys"),
    rule("dynatrace-token", "a Dynatrace token", &["dt0c01."], Token(&[Of(UpperAlphanumeric, 24, 24), Text("."), Of(UpperAlphanumeric, 64, 64)], random), "Dynatrace API, token format"),

    // Payments, messages, models.
    rule("stripe-key", "a Stripe secret key", &["sk_live_", "rk_live_"], Token(&[Of(Alphanumeric, 20, 250)], mixed), "Stripe, API keys"),
    rule("stripe-key", "a Stripe webhook secret", &["whsec_"], Token(&[Of(Base64, 32, 64)], mixed), "Stripe, webhooks"),
    rule("shopify-token", "a Shopify token", &["shpat_", "shpca_", "shppa_", "shpss_"], Token(&[Of(Hex, 32, 32)], random), "Shopify, access token prefixes"),
    rule("square-token", "a Square token", &["sq0atp-", "sq0csp-"], Token(&[Of(Base64Url, 22, 60)], mixed), "Square, access tokens"),
    rule("paypal-token", "a Braintree access token", &["access_token$production$"], Token(&[Of(LowerAlphanumeric, 16, 16), Text("$"), Of(Hex, 32, 32)], random), "Braintree, access tokens"),
    rule("slack-token", "a Slack token", &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxc-", "xoxd-"], Token(&[Of(Dashed, 20, 255)], mixed), "Slack, token types"),
    rule("slack-token", "a Slack app token", &["xapp-"], Token(&[Of(Digits, 1, 1), Text("-"), Of(UpperAlphanumeric, 9, 13), Text("-"), Of(Digits, 9, 14), Text("-"), Of(Hex, 40, 80)], random), "Slack, token types"),
    rule("slack-webhook", "a Slack webhook", &["hooks.slack.com/services/T", "hooks.slack.com/workflows/T", "hooks.slack.com/triggers/"], Around(detect::slack_webhook), "Slack, incoming webhooks"),
    rule("discord-webhook", "a Discord webhook", &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"], Around(detect::discord_webhook), "Discord, webhook resource"),
    rule("teams-webhook", "a Microsoft Teams webhook", &[".webhook.office.com/webhookb2/"], Around(detect::teams_webhook), "Microsoft Teams, incoming webhooks"),
    rule("telegram-token", "a token of a Telegram bot", &[":AA"], Around(detect::telegram), "Telegram Bot API, authorizing your bot"),
    rule("sendgrid-key", "a SendGrid key", &["SG."], Token(&[Of(Base64Url, 22, 22), Text("."), Of(Base64Url, 43, 43)], both_cases), "SendGrid, API keys"),
    rule("brevo-key", "a Brevo key", &["xkeysib-", "xsmtpsib-"], Token(&[Of(Hex, 64, 64), Text("-"), Of(Alphanumeric, 16, 16)], random), "Brevo, API keys"),
    rule("openai-key", "an OpenAI key", &["T3BlbkFJ"], Around(detect::openai), "OpenAI, API keys"),
    rule("anthropic-key", "an Anthropic key", &["sk-ant-api03-", "sk-ant-admin01-", "sk-ant-oat01-", "sk-ant-ort01-"], Token(&[Of(Base64Url, 80, 120)], random), "Anthropic, API keys"),
    rule("huggingface-token", "a Hugging Face token", &["hf_", "api_org_"], Token(&[Of(Alphanumeric, 34, 34)], both_cases), "Hugging Face, user access tokens"),
    rule("groq-key", "a Groq key", &["gsk_"], Token(&[Of(Alphanumeric, 52, 52)], mixed), "Groq, API keys"),
    rule("perplexity-key", "a Perplexity key", &["pplx-"], Token(&[Of(Alphanumeric, 48, 48)], mixed), "Perplexity API, authentication"),
    rule("replicate-token", "a Replicate token", &["r8_"], Token(&[Of(Alphanumeric, 37, 37)], mixed), "Replicate, API tokens"),
    rule("mapbox-token", "a Mapbox secret token", &["sk.eyJ"], Token(&[Of(Dotted, 60, 300)], random), "Mapbox, access tokens"),

    // Everything else.
    rule("database-url", "a URL with a password", &["postgres://", "postgresql://", "mysql://", "mariadb://", "mongodb://", "mongodb+srv://", "redis://", "rediss://", "amqp://", "amqps://"], Around(detect::database_url), "RFC 3986, section 3.2.1"),
    rule("password-hash", "a password hash", &[":$apr1$", ":$2y$", ":$2a$", ":$2b$", ":$5$", ":$6$", ":{SHA}"], Around(detect::password_hash), "Apache, password formats; crypt(5)"),
    rule("environment-secret", "a secret of an environment", &["SECRET", "PASSWORD", "_TOKEN", "API_KEY", "PRIVATE_KEY", "ENCRYPTION_KEY", "SIGNING_KEY", "AUTH_KEY"], Around(detect::environment), "The Open Group, environment variables"),
    reported("json-web-token", "a JSON Web Token", &["eyJ"], Token(&[Of(Dotted, 60, 4_000)], json_web_token), "RFC 7519"),
    rule("source-map", "a source map with sources", &["sourceMappingURL=data:application/json"], Around(detect::inline_source_map), "ECMA-426"),
];
