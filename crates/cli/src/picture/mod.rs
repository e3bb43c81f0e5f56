//! A graph as a picture, an SVG: a box for each node, in rows from what is fed to what comes out,
//! and lines for what flows.

mod layout;

use std::collections::HashMap;
use std::fmt::Write;

use abeyance::ir::{Edge, Graph, Node};

use self::layout::{Layout, Link};

/// The width of a letter. All have the same, so that the size of a box is known without a font.
const LETTER: f64 = 6.6;
const LINE: f64 = 14.0;
/// Between a box and its text.
const PADDING: f64 = 8.0;
/// Around the picture.
const MARGIN: f64 = 12.0;
/// Longer lines of a box are cut.
const LONGEST: usize = 44;

/// Draws the nodes for which `is_drawn` is true, and the edges between them.
pub fn svg(graph: &Graph, is_drawn: impl Fn(&Node) -> bool) -> String {
    let mut places = HashMap::new();
    let mut boxes = Vec::new();
    for (id, node) in graph.iter().filter(|(_, node)| is_drawn(node)) {
        places.insert(id.index(), boxes.len());
        let ty = graph.display_type(id).to_string();
        let lines = [&*node.name, node.operator.signature().name, &*ty];
        boxes.push(NodeBox { lines: lines.map(shortened), colour: node.colour() });
    }
    let mut links = Vec::new();
    for edge in graph.structure().raw_edges() {
        let ends = [edge.source(), edge.target()].map(|end| places.get(&end.index()).copied());
        if let [Some(from), Some(to)] = ends {
            links.push(Link { from, to, is_order: matches!(edge.weight, Edge::Control) });
        }
    }
    let sizes: Vec<(f64, f64)> = boxes.iter().map(NodeBox::size).collect();
    let layout = Layout::of(&sizes, &links);
    draw(&boxes, &links, &layout).unwrap_or_default()
}

struct NodeBox {
    lines: [String; 3],
    colour: &'static str,
}

impl NodeBox {
    fn size(&self) -> (f64, f64) {
        let letters = self.lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let height = self.lines.len() as f64 * LINE + 2.0 * PADDING - 4.0;
        (letters as f64 * LETTER + 2.0 * PADDING, height)
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        // The end tells nodes of one scope apart.
        Some(_) => {
            let count = text.chars().count();
            let end: String = text.chars().skip(count - LONGEST + 2).collect();
            format!("..{end}")
        }
        None => text.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // No other control characters stand in XML.
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

fn draw(boxes: &[NodeBox], links: &[Link], layout: &Layout) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let (width, height) = (layout.width + 2.0 * MARGIN, layout.height + 2.0 * MARGIN);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"{:.0} {:.0} {width:.0} {height:.0}\" font-family=\"monospace\" font-size=\"11\">",
        -MARGIN, -MARGIN
    )?;
    out.push_str(
        "<defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n",
    );
    writeln!(
        out,
        "<rect x=\"{:.0}\" y=\"{:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#fff\"/>",
        -MARGIN, -MARGIN
    )?;
    out.push_str("<g fill=\"none\" stroke=\"#555\">\n");
    for (link, points) in links.iter().zip(&layout.routes) {
        let dashed = if link.is_order { " stroke-dasharray=\"4 3\"" } else { "" };
        let mut path = String::new();
        for pair in points.windows(2) {
            let &[(x0, y0), (x1, y1)] = pair else { continue };
            if path.is_empty() {
                write!(path, "M{x0:.1} {y0:.1}")?;
            }
            // Straight through a row, and from one row to the next a curve that leaves and enters
            // straight.
            if x0 == x1 {
                write!(path, "V{y1:.1}")?;
            } else {
                let middle = (y0 + y1) / 2.0;
                write!(path, "C{x0:.1} {middle:.1} {x1:.1} {middle:.1} {x1:.1} {y1:.1}")?;
            }
        }
        writeln!(out, "<path d=\"{path}\"{dashed} marker-end=\"url(#end)\"/>")?;
    }
    out.push_str("</g>\n");
    for (each, &(x, y)) in boxes.iter().zip(&layout.places) {
        let (width, height) = each.size();
        writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\" fill=\"{}\" stroke=\"#333\"/>",
            x - width / 2.0,
            each.colour
        )?;
        for (line, text) in each.lines.iter().enumerate() {
            let at = y + PADDING + (line as f64 + 0.7) * LINE - 2.0;
            let style = if line == 0 { " font-weight=\"bold\"" } else { "" };
            writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{at:.1}\" text-anchor=\"middle\"{style}>{}</text>",
                escaped(text)
            )?;
        }
    }
    out.push_str("</svg>");
    Ok(out)
}
