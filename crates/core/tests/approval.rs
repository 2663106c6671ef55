//! Who approves a plan: the policies that count, and a person.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, and clippy.toml exempts only the tests themselves"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidegate_core::approval::{Approval, Decision, decide};
use tidegate_core::artifact::Fingerprint;
use tidegate_core::config::PluginMode;
use tidegate_core::plan::{FORMAT, Plan, PlanInputs, PlanTotals};
use tidegate_core::plan_review::{Judgement, Verdict};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::put_options::ObjectSettings;

fn plan() -> Plan {
    Plan {
        format: FORMAT,
        site: "docs".to_owned(),
        release: "c1".into(),
        instant: 1,
        source: "dist".parse().unwrap(),
        target: "s3://site/".parse().unwrap(),
        objects: ObjectSettings::default(),
        inputs: PlanInputs {
            artifact: Fingerprint("x".into()),
            listing: String::new(),
            kept: String::new(),
            live: None,
            oldest_kept: None,
            plugins: Vec::new(),
            edge: None,
        },
        totals: PlanTotals::default(),
        operations: Vec::new(),
        archive: Vec::new(),
    }
}

fn judgement((mode, verdict): &(PluginMode, Verdict)) -> Judgement {
    let (plugin, usage) = ("guard".to_owned(), PluginUsage::default());
    Judgement { plugin, mode: *mode, verdict: *verdict, findings: Vec::new(), failure: None, usage }
}

fn name(decision: &Decision) -> &'static str {
    match decision {
        Decision::Approved(_) => "approved",
        Decision::Held(..) => "held",
        Decision::Denied(..) => "denied",
    }
}

fn any_judgements() -> impl Strategy<Value = Vec<(PluginMode, Verdict)>> {
    let mode = prop::sample::select(vec![PluginMode::Enforce, PluginMode::Observe]);
    let verdict = prop::sample::select(vec![Verdict::Allow, Verdict::Hold, Verdict::Deny]);
    prop::collection::vec((mode, verdict), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Policies that are only observed make no difference, and do not count as a review.
    #[test]
    fn only_policies_that_are_enforced_decide(judged in any_judgements(), by_person in any::<bool>()) {
        let approval = if by_person { Approval::Person } else { Approval::Policies };
        let enforced: BTreeSet<Verdict> =
            judged.iter().filter(|(mode, _)| *mode == PluginMode::Enforce).map(|(_, verdict)| *verdict).collect();
        let expected = match enforced.last() {
            None | Some(Verdict::Deny) => "denied",
            Some(Verdict::Hold) if !by_person => "held",
            Some(Verdict::Hold | Verdict::Allow) => "approved",
        };
        let decision = decide(plan(), judged.iter().map(judgement).collect(), approval);
        prop_assert_eq!(name(&decision), expected);
    }
}
