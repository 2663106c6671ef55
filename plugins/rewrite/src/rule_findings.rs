//! Findings about redirects: those about lines of the file are grouped, those about configured rules name the rule.

use tidegate_plugin::{Finding, LineFindings, Pointer, Summary};

/// Where findings go.
pub(crate) struct RuleFindings<'a> {
    pub(crate) lines: &'a mut LineFindings,
    pub(crate) summary: &'a mut Summary,
}

/// What a redirect comes from.
pub(crate) trait RuleSource {
    /// Its place in the settings.
    fn rule(&self) -> &Pointer;
    /// Its line in the file.
    fn line(&self) -> Option<usize>;
}

impl RuleFindings<'_> {
    /// Adds a warning.
    pub(crate) fn warn(&mut self, of: &impl RuleSource, code: &'static str, message: String, key: Option<&str>) {
        match of.line() {
            Some(line) => self.lines.warning(code, "", line, message),
            None => {
                let mut finding = Finding::warning(code, message).with_rule(of.rule());
                finding.key = key.map(str::to_owned);
                self.summary.finding(finding);
            }
        }
    }

    /// Adds a remark.
    pub(crate) fn remark(&mut self, of: &impl RuleSource, code: &'static str, message: String) {
        match of.line() {
            Some(line) => self.lines.info(code, "", line, message),
            None => self.summary.finding(Finding::info(code, message).with_rule(of.rule())),
        }
    }
}
