//! SVG plots of a figure over the event rate, with one line for each transport.

use std::path::Path;

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

use crate::compare::cheap::pairs;
use crate::compare::result::{Comparison, Sample};

/// The size of a plot, in pixels.
const SIZE: (u32, u32) = (760, 460);
/// Colours that differ for the colour-blind too (Okabe and Ito), by transport.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 86, 86),
];

/// The factor by which the value axis extends above the highest value, to make room for the legend.
const LEGEND_ROOM: f64 = 60.0;

/// The radius of a point, in pixels.
const POINT: u32 = 3;

/// The name of a transport and its points: rate, value, and whether a CPU was full.
type Line<'a> = (&'a str, Vec<(f64, f64, bool)>);

/// Draws a figure of the samples with the most clients over their rate, with logarithmic axes. A sample without a figure has no
/// point; one with a full CPU has a hollow point. Fails if the file cannot be written.
pub(crate) fn draw(
    path: &Path,
    (title, unit): (&str, &str),
    comparison: &Comparison,
    figure: impl Fn(&Comparison, &Sample) -> Option<f64>,
) -> Result<(), String> {
    let point = |(sample, _): (&Sample, &Sample)| {
        // A logarithmic axis has no zero.
        let value = figure(comparison, sample).filter(|value| value.is_finite() && *value > 0.0)?;
        Some((sample.rate, value, sample.is_full()))
    };
    // A transport without points keeps its colour, so that colours are the same in every plot.
    let line = |name| (name, pairs(comparison, name, comparison.clients_max()).into_iter().filter_map(point).collect());
    let lines: Vec<Line<'_>> = ["WebSocket"].into_iter().chain(comparison.others()).map(line).collect();
    render(path, (title, unit), &lines).map_err(|err| format!("cannot draw {}: {err}", path.display()))
}

/// Returns the range of the values, extended at both ends.
fn range(values: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
    let (low, high) = (values.clone().fold(f64::INFINITY, f64::min), values.fold(0.0, f64::max));
    if low <= high { low / 1.6..high * 1.6 } else { 0.1..1.0 }
}

fn render(path: &Path, (title, unit): (&str, &str), lines: &[Line<'_>]) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let points = || lines.iter().flat_map(|(_, points)| points);
    let values = range(points().map(|point| point.1));
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 23))
        .margin(12)
        .x_label_area_size(50)
        .y_label_area_size(76)
        .build_cartesian_2d(
            range(points().map(|point| point.0)).log_scale(),
            (values.start..values.end * LEGEND_ROOM).log_scale(),
        )?;
    let label = |value: &f64| if *value >= 1e4 { format!("{:.0}k", value / 1e3) } else { format!("{value}") };
    chart
        .configure_mesh()
        .light_line_style(RGBColor(238, 238, 238))
        .bold_line_style(RGBColor(205, 205, 205))
        .axis_desc_style(("sans-serif", 17))
        .x_desc("events per second of each client")
        .y_desc(unit)
        .x_label_formatter(&label)
        .y_label_formatter(&label)
        .label_style(("sans-serif", 17))
        .draw()?;
    for ((name, points), colour) in
        lines.iter().zip(COLOURS.iter().cycle()).filter(|((_, points), _)| !points.is_empty())
    {
        chart
            .draw_series(LineSeries::new(points.iter().map(|(x, y, _)| (*x, *y)), colour.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        for (x, y, is_full) in points {
            let (inside, edge) = (if *is_full { WHITE } else { *colour }.filled(), colour.stroke_width(2));
            chart.draw_series([Circle::new((*x, *y), POINT, inside), Circle::new((*x, *y), POINT, edge)])?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(205, 205, 205))
        .label_font(("sans-serif", 17))
        .draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example::{comparison, sample};

    #[test]
    fn a_transport_keeps_its_colour_and_a_full_cpu_has_a_hollow_point() {
        let file = std::env::temp_dir().join(format!("tickcast-plot-{}.svg", std::process::id()));
        let mut samples = vec![sample("WebSocket", 1, 1.0, 0.1), sample("WebSocket", 1, 10.0, 0.1)];
        samples.extend([sample("SSE", 1, 1.0, 0.1), sample("SSE", 1, 10.0, 0.99)]);
        let all = comparison(Vec::new(), samples);
        let drawn = |figure: fn(&Comparison, &Sample) -> Option<f64>| {
            draw(&file, ("title", "unit"), &all, figure).unwrap();
            std::fs::read_to_string(&file).unwrap()
        };
        let colour = |at: usize| format!("fill=\"#{:02X}{:02X}{:02X}\"", COLOURS[at].0, COLOURS[at].1, COLOURS[at].2);
        let points = |svg: &str, fill: &str| svg.matches("<circle").count().min(svg.matches(fill).count());
        let both = drawn(|_, sample| Some(sample.rate));
        let second = drawn(|_, sample| (sample.result.transport == "SSE").then_some(sample.rate));
        std::fs::remove_file(&file).unwrap();
        assert_eq!((points(&both, &colour(0)), points(&both, &colour(1))), (2, 1), "{both}");
        assert_eq!((points(&second, &colour(0)), points(&second, &colour(1))), (0, 1), "{second}");
        assert!(!second.contains("WebSocket"), "a transport without points has no line: {second}");
        let hollow =
            second.lines().filter(|line| line.contains("<circle") && line.contains("fill=\"#FFFFFF\"")).count();
        assert_eq!(hollow, 1, "{second}");
    }
}
