//! Paths through a graph.

use std::ops::RangeInclusive;

use fireproof_trajectory::{CheckSpec, FamilyCheck, Task};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::family::{Instance, TaskFamily};

/// Find a path that meets no node twice: `ab,cb,cd,ad:ac>` → `adc`.
///
/// | level | nodes | edges |
/// |---|---|---|
/// | 1 | 3 | 2 |
/// | 2 | 4 | 4 |
/// | 3 | 5 | 6 |
/// | 4 | 6 | 8 |
/// | 5 | 7 | 10 |
/// | 6 | 8 | 12 |
///
/// The graph is connected and its edges go both ways; they are listed in any order and direction.
/// Every path is right, not only the shortest.
#[derive(Clone, Copy, Debug)]
pub struct GraphPath;

/// (nodes, edges) of each level.
const LEVELS: [(usize, usize); 6] = [(3, 2), (4, 4), (5, 6), (6, 8), (7, 10), (8, 12)];

impl TaskFamily for GraphPath {
    fn name(&self) -> &'static str {
        "path"
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=LEVELS.len() as u32
    }

    fn alphabet(&self) -> &'static str {
        "abcdefgh,:>"
    }

    fn longest_answer(&self, level: u32) -> usize {
        LEVELS[level as usize - 1].0
    }

    fn generate(&self, level: u32, rng: &mut dyn Rng) -> Instance {
        self.assert_level(level);
        let (nodes, count) = LEVELS[level as usize - 1];
        let mut letters: Vec<char> = ('a'..='h').take(nodes).collect();
        letters.shuffle(rng);
        let edges = random_edges(&letters, count, rng);
        letters.shuffle(rng);
        let (start, end) = (letters[0], letters[1]);
        let answers = paths(&edges, start, end);
        let list: Vec<String> = edges.iter().map(|(a, b)| format!("{a}{b}")).collect();
        let prompt = format!("{}:{start}{end}>", list.join(","));
        let check = CheckSpec::Family(FamilyCheck::Path { edges, start, end });
        Instance::among(self, level, (prompt, check), &answers, rng)
    }

    fn solutions(&self, task: &Task) -> Option<Vec<String>> {
        match &task.check {
            CheckSpec::Family(FamilyCheck::Path { edges, start, end })
                if task.metadata.source == self.name() =>
            {
                Some(paths(edges, *start, *end))
            }
            _ => None,
        }
    }
}

/// A tree over all nodes and then more edges between any two, each pair at most once.
fn random_edges(nodes: &[char], count: usize, rng: &mut dyn Rng) -> Vec<(char, char)> {
    let mut edges: Vec<(char, char)> = Vec::with_capacity(count);
    for place in 1..nodes.len() {
        edges.push((nodes[rng.random_range(0..place)], nodes[place]));
    }
    while edges.len() < count {
        let mut node = || nodes[rng.random_range(0..nodes.len())];
        let (a, b) = (node(), node());
        if a != b && !edges.contains(&(a, b)) && !edges.contains(&(b, a)) {
            edges.push((a, b));
        }
    }
    edges.shuffle(rng);
    for edge in &mut edges {
        if rng.random_range(0..2) == 1 {
            *edge = (edge.1, edge.0);
        }
    }
    edges
}

/// Every path that meets no node twice, in alphabetical order.
fn paths(edges: &[(char, char)], start: char, end: char) -> Vec<String> {
    fn search(edges: &[(char, char)], path: &mut Vec<char>, end: char, found: &mut Vec<String>) {
        let here = path[path.len() - 1];
        if here == end {
            found.push(path.iter().collect());
            return;
        }
        for (a, b) in edges {
            let next = if *a == here { *b } else { *a };
            if (*a == here || *b == here) && !path.contains(&next) {
                path.push(next);
                search(edges, path, end, found);
                path.pop();
            }
        }
    }
    let mut found = Vec::new();
    search(edges, &mut vec![start], end, &mut found);
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_by_hand() {
        let square = [('a', 'b'), ('c', 'b'), ('c', 'd'), ('a', 'd')];
        assert_eq!(paths(&square, 'a', 'c'), ["abc", "adc"]);
        assert_eq!(paths(&square, 'a', 'b'), ["ab", "adcb"]);
        assert_eq!(paths(&square, 'a', 'x'), [""; 0]);
    }

    #[test]
    fn paths_of_a_complete_graph_are_counted_by_arrangements() {
        // Between two of five nodes: 1 + 3 + 3·2 + 3·2·1.
        let nodes = ['a', 'b', 'c', 'd', 'e'];
        let edges: Vec<(char, char)> = nodes
            .iter()
            .flat_map(|a| nodes.iter().filter(move |b| *b > a).map(move |b| (*a, *b)))
            .collect();
        assert_eq!(paths(&edges, 'a', 'e').len(), 16);
    }
}
