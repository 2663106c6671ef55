//! The CloudWatch dashboard of a function: its runs by site, the function itself, its dead-letter queue and its state machine.
//!
//! The metrics in the namespace `Tidegate` are those that the function writes into its log. Source of the format: Amazon
//! CloudWatch API reference, "Dashboard body structure and syntax".

use serde_json::{Value, json};
use tidegate_core::config::SiteName;

use super::model::Stack;
use crate::document::PseudoParameter;

/// The namespace of the function's own metrics.
const NAMESPACE: &str = "Tidegate";

/// Their only dimension.
const DIMENSION: &str = "Site";

/// Columns of a dashboard.
const COLUMNS: usize = 24;

/// Maximum number of metrics in one graph. Source: Amazon CloudWatch user guide, "CloudWatch service quotas".
const MAX_METRICS: usize = 500;

/// Time that one point covers, in seconds.
const PERIOD: u16 = 300;

/// Runs whose log lines the dashboard lists.
const LAST_RUNS: u16 = 20;

/// Graphs of the function's own metrics, with a line for each metric and site: title, statistic and metrics.
const GRAPHS: [(&str, &str, &[&str]); 7] = [
    ("Runs", "Sum", &["Runs"]),
    (
        "Runs that failed, were denied or have work pending",
        "Sum",
        &["RunsFailed", "RunsDenied", "RunsInvalidationPending"],
    ),
    ("Time of a run, 90th percentile", "p90", &["RunTime"]),
    (
        "Time by stage, average",
        "Average",
        &["OpenTime", "TransformTime", "InspectTime", "ReviewTime", "WriteTime", "InvalidateTime", "PluginTime"],
    ),
    ("Objects", "Sum", &["ObjectsWritten", "HeadersUpdated", "ObjectsDeleted", "OperationsFailed"]),
    ("Bytes", "Sum", &["BytesWritten", "BytesCopied"]),
    ("Paths invalidated", "Sum", &["PathsInvalidated"]),
];

/// Widgets from left to right and from top to bottom.
#[derive(Default)]
struct Widgets {
    all: Vec<Value>,
    x: usize,
    y: usize,
}

impl Widgets {
    fn put(&mut self, kind: &str, width: usize, height: usize, properties: &Value) {
        if self.x + width > COLUMNS {
            (self.x, self.y) = (0, self.y + height);
        }
        self.all.push(json!({
            "type": kind, "x": self.x, "y": self.y, "width": width, "height": height, "properties": properties,
        }));
        self.x += width;
    }

    /// Starts a new row below widgets of this height.
    fn end_row(&mut self, height: usize) {
        (self.x, self.y) = (0, self.y + height);
    }

    fn graph(&mut self, title: &str, statistic: &str, metrics: &[Value]) {
        let region = PseudoParameter::Region.text();
        let properties = json!({
            "title": title,
            "view": "timeSeries",
            "region": region,
            "stat": statistic,
            "period": PERIOD,
            "metrics": metrics,
        });
        self.put("metric", COLUMNS / 3, 6, &properties);
    }
}

/// A line for each metric and site.
fn lines(names: &[&str], sites: &[SiteName]) -> Vec<Value> {
    let line = |name: &str, site: &SiteName| {
        let label = if names.len() == 1 { site.to_string() } else { format!("{site} {name}") };
        json!([NAMESPACE, name, DIMENSION, site, { "label": label }])
    };
    sites.iter().flat_map(|site| names.iter().map(move |name| line(name, site))).take(MAX_METRICS).collect()
}

/// The body of the dashboard, with pseudo parameters.
pub(super) fn dashboard(stack: &Stack) -> Value {
    let (function, queue) = (stack.function.name.as_str(), stack.dead_letters.as_str());
    let mut widgets = Widgets::default();
    let alarms: Vec<String> =
        stack.alarms.iter().map(|alarm| stack.arn("cloudwatch", &format!("alarm:{}", alarm.name))).collect();
    widgets.put("alarm", COLUMNS, 2, &json!({ "title": "Alarms", "alarms": alarms }));
    widgets.end_row(2);
    for (title, statistic, names) in GRAPHS {
        widgets.graph(title, statistic, &lines(names, &stack.sites));
    }
    let of_function = |name: &str| json!(["AWS/Lambda", name, "FunctionName", function]);
    widgets.graph("Invocations", "Sum", &["Invocations", "Errors", "Throttles"].map(of_function));
    widgets.graph("Duration of an invocation", "Maximum", &[of_function("Duration")]);
    widgets.graph("Concurrent invocations", "Maximum", &[of_function("ConcurrentExecutions")]);
    let messages = json!(["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue]);
    widgets.graph("Events that failed after all retries", "Maximum", &[messages]);
    if let Some(machine) = &stack.state_machine {
        let arn = stack.arn("states", &format!("stateMachine:{}", machine.name));
        let of_machine = |name: &str| json!(["AWS/States", name, "StateMachineArn", arn]);
        let ends = ["Started", "Succeeded", "Failed", "TimedOut", "Aborted"];
        let ends = ends.map(|end| of_machine(&format!("Executions{end}")));
        widgets.graph("Executions of the state machine", "Sum", &ends);
        widgets.graph("Duration of an execution", "Maximum", &[of_machine("ExecutionTime")]);
    }
    widgets.end_row(6);
    let query = format!(
        "SOURCE '{}' | filter message = \"run\" | fields @timestamp, site, outcome, release, milliseconds, reason | sort @timestamp desc | limit {LAST_RUNS}",
        stack.log_group
    );
    let runs = json!({
        "title": "Last runs", "view": "table", "region": PseudoParameter::Region.text(), "query": query,
    });
    widgets.put("log", COLUMNS, 8, &runs);
    json!({ "widgets": widgets.all })
}
