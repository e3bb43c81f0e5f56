//! Where the boxes of a picture stand and where its lines run: boxes in rows, such that every line
//! goes down and none through a box (Sugiyama, Tagawa, Toda: *Methods for visual understanding of
//! hierarchical system structures*, 1981).
//!
//! A line over several rows has a place of its own in each row between, among the boxes. The order
//! of a row follows the middle of what is above and below, a few times down and up; then everything
//! moves as near to what it is joined to as that order leaves room for.

use std::collections::BTreeMap;

/// A line from a box to one after it.
pub struct Link {
    pub from: usize,
    pub to: usize,
    /// True for a control dependency, which carries no data.
    pub is_order: bool,
}

/// The picture, from 0, 0 at its top left.
pub struct Layout {
    pub width: f64,
    pub height: f64,
    /// For each box the middle of its upper side.
    pub places: Vec<(f64, f64)>,
    /// For each line its corners, from the lower side of a box to the upper side of another.
    pub routes: Vec<Vec<(f64, f64)>>,
}

/// Between rows, where lines go to the side; and more for each line that does.
const GAP: f64 = 36.0;
/// Between neighbours in a row.
const BESIDE: f64 = 18.0;
/// The width that a line takes of a row.
const LANE: f64 = 6.0;
/// The number of times that the order of rows is improved, and then the places.
const ROUNDS: usize = 12;

/// A box, or the place of a line in a row that it goes through.
struct Item {
    row: usize,
    width: f64,
    /// Those of the row above that it is joined to, and those of the row below.
    above: Vec<usize>,
    below: Vec<usize>,
    is_lane: bool,
}

impl Layout {
    /// Boxes of some sizes, width and height, and the lines between them, of which each goes to a
    /// box with a larger number.
    pub fn of(sizes: &[(f64, f64)], links: &[Link]) -> Self {
        let rows_of_boxes = rows(sizes.len(), links);
        let mut items: Vec<Item> = sizes
            .iter()
            .zip(&rows_of_boxes)
            .map(|(&(width, _), &row)| Item {
                row,
                width,
                above: Vec::new(),
                below: Vec::new(),
                is_lane: false,
            })
            .collect();
        let chains: Vec<Vec<usize>> = links.iter().map(|link| chain(&mut items, link)).collect();
        let parts = parts(&items);
        let order = ordered(&items, &parts);
        let mut centres = placed(&items, &order);
        close_up(&items, &order, &parts, &mut centres);

        let left = |item: usize| centres[item] - items[item].width / 2.0;
        let least = (0..items.len()).map(left).fold(f64::INFINITY, f64::min);
        let least = if least.is_finite() { least } else { 0.0 };
        let right = |item: usize| centres[item] + items[item].width / 2.0 - least;
        let width = (0..items.len()).map(right).fold(0.0, f64::max);
        let mut tops = Vec::new();
        let mut top = 0.0;
        for row in &order {
            let height = row.iter().filter_map(|&item| sizes.get(item)).map(|size| size.1);
            let height = height.fold(0.0, f64::max);
            let sideways: usize = row.iter().map(|&item| items[item].below.len()).sum();
            tops.push((top, height));
            top += height + GAP + 1.5 * (sideways as f64).min(60.0);
        }
        let height = tops.last().map_or(0.0, |&(top, height)| top + height);
        let place = |item: usize| (centres[item] - least, tops[items[item].row].0);
        let places = (0..sizes.len()).map(place).collect();

        let ports = ports(&items, links, &chains, &centres);
        let route = |(chain, &(out, into)): (&Vec<usize>, &(f64, f64))| {
            let mut points = Vec::new();
            let (Some((&from, rest)), Some(&to)) = (chain.split_first(), chain.last()) else {
                return points;
            };
            let (x, y) = place(from);
            points.push((x + out, y + sizes[from].1));
            for &lane in rest.split_last().map_or(&[][..], |(_, lanes)| lanes) {
                let (top, height) = tops[items[lane].row];
                let x = centres[lane] - least;
                points.extend([(x, top), (x, top + height)]);
            }
            let (x, y) = place(to);
            points.push((x + into, y));
            points
        };
        let routes = chains.iter().zip(&ports).map(route).collect();
        Self { width, height, places, routes }
    }
}

/// The row of each box: below all that it needs, and as low as those that need it leave it, if it
/// needs nothing itself. So a variable stands by its first user.
fn rows(count: usize, links: &[Link]) -> Vec<usize> {
    let mut rows = vec![0; count];
    let mut needs = vec![false; count];
    let mut by_user: Vec<&Link> = links.iter().collect();
    by_user.sort_by_key(|link| link.to);
    for link in &by_user {
        rows[link.to] = rows[link.to].max(rows[link.from] + 1);
        needs[link.to] = true;
    }
    let mut first_user = vec![usize::MAX; count];
    for link in links {
        first_user[link.from] = first_user[link.from].min(rows[link.to]);
    }
    for place in 0..count {
        if !needs[place] && first_user[place] != usize::MAX {
            rows[place] = first_user[place] - 1;
        }
    }
    rows
}

/// Joins two boxes, with a lane in each row between: all that the line meets, from one to the
/// other.
fn chain(items: &mut Vec<Item>, link: &Link) -> Vec<usize> {
    let mut chain = vec![link.from];
    for row in items[link.from].row + 1..items[link.to].row {
        chain.push(items.len());
        items.push(Item { row, width: LANE, above: Vec::new(), below: Vec::new(), is_lane: true });
    }
    chain.push(link.to);
    for pair in chain.windows(2) {
        items[pair[0]].below.push(pair[1]);
        items[pair[1]].above.push(pair[0]);
    }
    chain
}

/// Which part of the picture each item is of, where parts are not joined with each other.
fn parts(items: &[Item]) -> Vec<usize> {
    let mut parts = vec![usize::MAX; items.len()];
    let mut pending = Vec::new();
    for first in 0..items.len() {
        pending.push(first);
        while let Some(item) = pending.pop() {
            if parts[item] == usize::MAX {
                parts[item] = first;
                pending.extend(items[item].above.iter().chain(&items[item].below));
            }
        }
    }
    parts
}

/// Moves each part to the left, up to the one before it: what is joined to nothing there has no
/// reason to stand further off.
fn close_up(items: &[Item], order: &[Vec<usize>], parts: &[usize], centres: &mut [f64]) {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &item in order.iter().flatten() {
        members.entry(parts[item]).or_default().push(item);
    }
    // The right side of what stands in each row.
    let mut sides = vec![f64::NEG_INFINITY; order.len()];
    for part in members.values() {
        let room = |&item: &usize| {
            centres[item] - items[item].width / 2.0 - sides[items[item].row] - 2.0 * BESIDE
        };
        let room = part.iter().map(room).fold(f64::INFINITY, f64::min);
        // Where nothing stands in its rows, it stands at the left border.
        let left = |&item: &usize| centres[item] - items[item].width / 2.0;
        let shift = room.min(part.iter().map(left).fold(f64::INFINITY, f64::min));
        for &item in part {
            centres[item] -= shift;
            let side = &mut sides[items[item].row];
            *side = side.max(centres[item] + items[item].width / 2.0);
        }
    }
}

/// The items of each row from left to right, part by part.
fn ordered(items: &[Item], parts: &[usize]) -> Vec<Vec<usize>> {
    let count = items.iter().map(|item| item.row + 1).max().unwrap_or(0);
    let mut order = vec![Vec::new(); count];
    // Depth first from what comes last, so that what belongs together begins together.
    let mut seen = vec![false; items.len()];
    let mut pending: Vec<usize> = (0..items.len()).rev().collect();
    while let Some(item) = pending.pop() {
        if !std::mem::replace(&mut seen[item], true) {
            order[items[item].row].push(item);
            let beside = items[item].below.iter().chain(&items[item].above);
            pending.extend(beside.rev().filter(|&&next| !seen[next]));
        }
    }
    for row in &mut order {
        row.sort_by_key(|&item| parts[item]);
    }
    let mut best = (crossings(items, &order), order.clone());
    let mut places = vec![0.0; items.len()];
    for round in 0..ROUNDS {
        let down = round % 2 == 0;
        let number = |place: usize| if down { place } else { count - 1 - place };
        for (place, item) in order.iter().flat_map(|row| row.iter().enumerate()) {
            places[*item] = place as f64;
        }
        for row in (0..count).map(number) {
            let middle = |item: usize| {
                let joined = if down { &items[item].above } else { &items[item].below };
                match joined.len() {
                    0 => places[item],
                    count => joined.iter().map(|&other| places[other]).sum::<f64>() / count as f64,
                }
            };
            let mut keyed: Vec<(usize, f64, usize)> =
                order[row].iter().map(|&item| (parts[item], middle(item), item)).collect();
            keyed.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
            order[row] = keyed.into_iter().map(|(.., item)| item).collect();
            for (place, &item) in order[row].iter().enumerate() {
                places[item] = place as f64;
            }
        }
        let found = crossings(items, &order);
        if found < best.0 {
            best = (found, order.clone());
        }
    }
    best.1
}

/// How often lines cross.
fn crossings(items: &[Item], order: &[Vec<usize>]) -> usize {
    let mut places = vec![0; items.len()];
    for (place, &item) in order.iter().flat_map(|row| row.iter().enumerate()) {
        places[item] = place;
    }
    let mut crossings = 0;
    for row in order {
        // Ends below, in the order of their beginnings: each pair the wrong way round is a
        // crossing.
        let mut sorted: Vec<usize> = Vec::new();
        for &item in row {
            let mut ends: Vec<usize> = items[item].below.iter().map(|&to| places[to]).collect();
            ends.sort_unstable();
            for &end in &ends {
                crossings += sorted.len() - sorted.partition_point(|&other| other <= end);
            }
            for end in ends {
                sorted.insert(sorted.partition_point(|&other| other <= end), end);
            }
        }
    }
    crossings
}

/// The middle of each item: near the middle of those it is joined to, without touching its
/// neighbours.
fn placed(items: &[Item], order: &[Vec<usize>]) -> Vec<f64> {
    let mut centres = vec![0.0; items.len()];
    for row in order {
        let mut left = 0.0;
        for &item in row {
            centres[item] = left + items[item].width / 2.0;
            left += items[item].width + BESIDE;
        }
    }
    for round in 0..2 * ROUNDS {
        let down = round % 2 == 0;
        let last = round + 2 >= 2 * ROUNDS;
        let rows: Vec<&Vec<usize>> =
            if down { order.iter().collect() } else { order.iter().rev().collect() };
        for row in rows {
            let wanted = |item: usize| {
                let Item { above, below, .. } = &items[item];
                let joined: Vec<usize> = match (down, last) {
                    (_, true) => above.iter().chain(below).copied().collect(),
                    (true, _) => above.clone(),
                    (false, _) => below.clone(),
                };
                match joined.len() {
                    0 => centres[item],
                    count => joined.iter().map(|&other| centres[other]).sum::<f64>() / count as f64,
                }
            };
            let wanted: Vec<f64> = row.iter().map(|&item| wanted(item)).collect();
            for (&item, centre) in row.iter().zip(apart(items, row, &wanted)) {
                centres[item] = centre;
            }
        }
    }
    centres
}

/// The places nearest to those that are wanted, by the sum of squares, that keep a row's order and
/// its distances: neighbours that would be too near become a block that stands where its members
/// want it on average (pool adjacent violators).
fn apart(items: &[Item], row: &[usize], wanted: &[f64]) -> Vec<f64> {
    // Less the distance from the first, places need only not decrease.
    let mut offsets = Vec::new();
    let mut offset = 0.0;
    for (place, &item) in row.iter().enumerate() {
        if let Some(&before) = place.checked_sub(1).and_then(|place| row.get(place)) {
            offset += (items[before].width + items[item].width) / 2.0 + BESIDE;
        }
        offsets.push(offset);
    }
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for ((&item, wanted), offset) in row.iter().zip(wanted).zip(&offsets) {
        // Lines bend before boxes move.
        let weight = if items[item].is_lane { 2.0 } else { 1.0 };
        let mut block = (weight * (wanted - offset), weight, 1);
        while let Some(&(sum, weight, count)) = blocks.last()
            && sum / weight > block.0 / block.1
        {
            block = (block.0 + sum, block.1 + weight, block.2 + count);
            blocks.pop();
        }
        blocks.push(block);
    }
    let shifts =
        blocks.iter().flat_map(|&(sum, weight, count)| std::iter::repeat_n(sum / weight, count));
    shifts.zip(offsets).map(|(shift, offset)| shift + offset).collect()
}

/// For each line where it leaves a box and where it enters one, from their middles: side by side in
/// the order of their other ends.
fn ports(
    items: &[Item],
    links: &[Link],
    chains: &[Vec<usize>],
    centres: &[f64],
) -> Vec<(f64, f64)> {
    let mut out: Vec<Vec<(f64, usize)>> = vec![Vec::new(); items.len()];
    let mut into: Vec<Vec<(f64, usize)>> = vec![Vec::new(); items.len()];
    for (place, (link, chain)) in links.iter().zip(chains).enumerate() {
        if let [_, next, ..] = chain[..]
            && let [.., before, _] = chain[..]
        {
            out[link.from].push((centres[next], place));
            into[link.to].push((centres[before], place));
        }
    }
    let mut ports = vec![(0.0, 0.0); links.len()];
    for (item, (out, into)) in items.iter().zip(out.iter_mut().zip(&mut into)) {
        for (ends, is_out) in [(out, true), (into, false)] {
            ends.sort_by(|one, other| one.0.total_cmp(&other.0));
            let step = (item.width * 0.7 / ends.len().max(1) as f64).min(14.0);
            for (place, (_, link)) in ends.iter().enumerate() {
                let x = (place as f64 - (ends.len() as f64 - 1.0) / 2.0) * step;
                if is_out { ports[*link].0 = x } else { ports[*link].1 = x }
            }
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::{Layout, Link};

    /// Boxes of different widths with short and long lines between them, always the same.
    fn sample(count: usize) -> (Vec<(f64, f64)>, Vec<Link>) {
        let sizes = (0..count).map(|place| (60.0 + (place * 37 % 90) as f64, 50.0)).collect();
        let mut links = Vec::new();
        for to in 1..count {
            for back in [1 + to * 7 % 3, 1 + to * 11 % 9] {
                if let Some(from) = to.checked_sub(back) {
                    links.push(Link { from, to, is_order: false });
                }
            }
        }
        (sizes, links)
    }

    #[test]
    fn no_box_overlaps_another_and_no_line_goes_through_one() {
        let (sizes, links) = sample(60);
        let layout = Layout::of(&sizes, &links);
        let rectangle = |place: usize| {
            let ((x, y), (width, height)) = (layout.places[place], sizes[place]);
            (x - width / 2.0, x + width / 2.0, y, y + height)
        };
        for one in 0..sizes.len() {
            let (left, right, top, bottom) = rectangle(one);
            assert!(left >= 0.0 && right <= layout.width + 1e-6 && bottom <= layout.height + 1e-6);
            for other in 0..one {
                let (l, r, t, b) = rectangle(other);
                assert!(right <= l || r <= left || bottom <= t || b <= top, "{one} {other}");
            }
        }
        for (link, route) in links.iter().zip(&layout.routes) {
            let (_, _, _, bottom) = rectangle(link.from);
            let (_, _, top, _) = rectangle(link.to);
            assert_eq!((route[0].1, route[route.len() - 1].1), (bottom, top));
            for pair in route.windows(2) {
                let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
                assert!(y0 <= y1);
                // A curve stays between the corners that it joins.
                for place in 0..sizes.len() {
                    let (left, right, top, bottom) = rectangle(place);
                    let outside = x0.max(x1) < left
                        || x0.min(x1) > right
                        || y1 <= top + 1e-6
                        || y0 >= bottom - 1e-6;
                    assert!(
                        outside,
                        "a line of {} and {} goes through {place}",
                        link.from, link.to
                    );
                }
            }
        }
    }

    #[test]
    fn parts_that_are_not_joined_stand_side_by_side_without_a_gap() {
        let sizes = vec![(100.0, 50.0); 30];
        // Three chains, whose boxes come in turns.
        let links: Vec<Link> =
            (3..30).map(|to| Link { from: to - 3, to, is_order: false }).collect();
        let layout = Layout::of(&sizes, &links);
        assert_eq!(layout.width, 3.0 * 100.0 + 2.0 * 2.0 * super::BESIDE);
    }

    #[test]
    fn nothing_and_one_box_are_pictures_too() {
        let layout = Layout::of(&[], &[]);
        assert_eq!((layout.width, layout.height), (0.0, 0.0));
        let layout = Layout::of(&[(40.0, 50.0)], &[]);
        assert_eq!((layout.width, layout.height, layout.places[0]), (40.0, 50.0, (20.0, 0.0)));
    }
}
