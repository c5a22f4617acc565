//! The plot of the report: one bar a row, Oxkeeper over Java, logarithmic.
//!
//! # Invariants
//!
//! * Self-contained SVG: no scripts, no fonts to load, readable on dark and light.

use std::fmt::Write as _;

use crate::report::{Report, number};

const LEFT: f64 = 300.0;
const WIDTH: f64 = 520.0;
const STEP: f64 = 26.0;
const TOP: f64 = 60.0;
/// The ends of the axis: Oxkeeper over Java.
const LOW: f64 = 0.005;
const HIGH: f64 = 2.0;

/// Where a ratio is on the axis.
fn x(ratio: f64) -> f64 {
    let share = (ratio.clamp(LOW, HIGH) / LOW).ln() / (HIGH / LOW).ln();
    LEFT + share * WIDTH
}

/// Draws the report.
pub fn svg(report: &Report) -> String {
    let rows: Vec<_> = report.lines.iter().filter(|l| l.ratio().is_some()).collect();
    let bottom = TOP + STEP * rows.len() as f64;
    let (width, height) = (LEFT + WIDTH + 80.0, bottom + 50.0);
    let mut s = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\">Oxkeeper over Java ZooKeeper (less is better)</text>\n"
    );
    for tick in [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0] {
        let at = x(tick);
        let colour = if tick == 1.0 { "#555555" } else { "#dddddd" };
        let _ = writeln!(
            s,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"{colour}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555555\">{tick}</text>",
            bottom + 18.0
        );
    }
    for (n, line) in rows.iter().enumerate() {
        let y = TOP + STEP * n as f64;
        let ratio = line.ratio().unwrap_or(HIGH);
        let colour = match line.excess() {
            Some(e) if e > 1.0 => "#d1742f",
            _ => "#3a7d5d",
        };
        let _ = writeln!(
            s,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 16.0,
            line.row.title,
            y + 5.0,
            x(ratio) - LEFT,
            x(ratio) + 5.0,
            y + 16.0,
            number(Some(ratio)),
        );
        if let Some(target) = line.target_ratio() {
            mark(&mut s, x(target), y, "#000000");
        }
        if let (Some(floor), Some(java)) = (line.floor, line.java) {
            mark(&mut s, x(floor / java), y, "#2b6cb0");
        }
    }
    let _ = writeln!(
        s,
        "<text x=\"{LEFT}\" y=\"{:.1}\" fill=\"#555555\">black mark: target, blue mark: echo floor, \
         green: met, orange: missed</text>\n</svg>",
        bottom + 40.0
    );
    s
}

fn mark(s: &mut String, at: f64, y: f64, colour: &str) {
    let _ = writeln!(
        s,
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"3\" height=\"20\" fill=\"{colour}\"/>",
        at - 1.5,
        y + 2.0
    );
}
