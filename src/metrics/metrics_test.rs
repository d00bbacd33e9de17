//! Tests of `Metrics`: every field is rendered, under its name and before its first increment.

use std::time::Duration;

use super::*;

#[test]
fn every_count_is_rendered_under_its_name() {
    let metrics = Metrics::default();
    metrics.count_close(CloseReason::Flood);
    metrics.count_error(ErrorCode::BadJson);
    metrics.count_recovery(true);
    metrics.events_published.inc_by(7);
    let text = metrics.render();
    assert!(text.contains("tickcast_events_published_total 7\n"), "{text}");
    assert!(text.contains("tickcast_closes_total{reason=\"flood\"} 1\n"), "{text}");
    assert!(text.contains("tickcast_recoveries_total{recovered=\"true\"} 1\n"), "{text}");
    assert!(text.contains("tickcast_errors_total{code=\"bad_json\"} 1\n"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn every_field_is_rendered_once() {
    let metrics = Metrics::default();
    metrics.new_hub();
    let text = metrics.render();
    let names: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE tickcast_")?.split(' ').next()).collect();
    for field in Metrics::NAMES.iter().filter(|field| **field != "process").chain(ProcessMetrics::NAMES) {
        let is_field = |name: &&&str| **name == *field || name.strip_suffix("_seconds") == Some(*field);
        assert_eq!(names.iter().filter(is_field).count(), 1, "{field}: {names:?}");
    }
    assert_eq!(names.len(), Metrics::NAMES.len() - 1 + ProcessMetrics::NAMES.len());
}

#[test]
fn every_metric_is_rendered_before_its_first_increment() {
    let metrics = Metrics::default();
    metrics.new_hub();
    metrics.new_hub().set(7);
    metrics.set_feed_lag(Duration::from_millis(1_500));
    let text = metrics.render();
    for line in [
        "tickcast_closes_total{reason=\"flood\"} 0",
        "tickcast_errors_total{code=\"bad_json\"} 0",
        "tickcast_errors_total{code=\"forbidden_origin\"} 0",
        "tickcast_recoveries_total{recovered=\"false\"} 0",
        "tickcast_event_age_seconds_count 0",
        "tickcast_event_age_seconds_bucket{le=\"0.001\"} 0",
        "tickcast_hub_offset{hub=\"0\"} 0",
        "tickcast_hub_offset{hub=\"1\"} 7",
        "tickcast_feed_lag_seconds 1.5",
        "tickcast_feed_offset 0",
    ] {
        assert!(text.lines().any(|each| each == line), "{line}: {text}");
    }
}
