//! Best-fit decreasing over classes: documents of one length, rows of one history.

use super::occupied::Occupied;

/// No link or no group.
const NONE: u32 = u32::MAX;

/// Rows that hold as many documents of each length as each other.
#[derive(Clone, Copy)]
pub(super) struct Group {
    /// How many rows.
    pub(super) rows: u32,
    /// What was put in last.
    link: u32,
    /// Which row of the link is the group's first.
    offset: u32,
    /// The next group with as much room.
    next: u32,
}

impl Group {
    /// The rows from `from` on, `rows` of them at most.
    pub(super) fn part(self, from: u32, rows: u32) -> Self {
        Self {
            rows: rows.min(self.rows - from),
            offset: self.offset + from,
            ..self
        }
    }
}

/// Documents of one length that were put into each row of a group.
#[derive(Clone, Copy)]
struct Link {
    /// What was put in before, and which of its rows is this one's first.
    before: u32,
    offset: u32,
    /// The first document, in the order by length.
    first: u32,
    /// How many documents each row got.
    each: u32,
}

/// Documents of one length in the rows of a group: row `r` has those from `first + r × each` on.
pub(super) struct Part {
    pub(super) first: usize,
    pub(super) each: usize,
}

/// All rows, as groups.
pub(super) struct Plan {
    links: Vec<Link>,
    groups: Vec<Group>,
    /// The groups by the room their rows have.
    heads: Vec<u32>,
    occupied: Occupied,
    row_len: usize,
}

impl Plan {
    /// `class_ends[len]` is where the documents of length `len` end, in the order by length.
    pub(super) fn new(class_ends: &[u32], row_len: usize) -> Self {
        let mut plan = Self {
            links: Vec::new(),
            groups: Vec::new(),
            heads: vec![NONE; row_len + 1],
            occupied: Occupied::new(row_len + 1),
            row_len,
        };
        for len in (1..row_len).rev() {
            plan.place(len, class_ends[len - 1], class_ends[len]);
        }
        plan
    }

    pub(super) fn rows(&self) -> usize {
        self.groups().map(|group| group.rows as usize).sum()
    }

    /// The groups, by the room they have left.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        self.heads.iter().flat_map(|&head| {
            let group = |at: u32| self.groups.get(at as usize).copied();
            std::iter::successors(group(head), move |before| group(before.next))
        })
    }

    /// What each row of a group holds, in the order it was put in.
    pub(super) fn chain(&self, group: Group) -> Vec<Part> {
        let mut parts = Vec::new();
        let (mut at, mut offset) = (group.link, group.offset);
        while at != NONE {
            let link = self.links[at as usize];
            parts.push(Part {
                first: (link.first + offset * link.each) as usize,
                each: link.each as usize,
            });
            (at, offset) = (link.before, link.offset + offset);
        }
        parts.reverse();
        parts
    }

    /// Puts the documents `first..end` of length `len` where they fit best.
    fn place(&mut self, len: usize, mut first: u32, end: u32) {
        while first < end {
            let open = self.occupied.next(len);
            let room = open.unwrap_or(self.row_len);
            // A row that is the best fit stays it until the next document does not fit.
            let each = (room / len) as u32;
            let wanted = (end - first).div_ceil(each);
            let rows = match open {
                Some(room) => self.take(room, wanted),
                None => Group {
                    rows: wanted,
                    link: NONE,
                    offset: 0,
                    next: NONE,
                },
            };
            let whole = ((end - first) / each).min(rows.rows);
            if whole > 0 {
                self.fill(rows, 0, whole, first, each, room - each as usize * len);
                first += whole * each;
            }
            if whole < rows.rows {
                let rest = end - first;
                self.fill(rows, whole, 1, first, rest, room - rest as usize * len);
                first = end;
            }
        }
    }

    /// Takes up to `wanted` rows out of the first group with this much room.
    fn take(&mut self, room: usize, wanted: u32) -> Group {
        let head = &mut self.heads[room];
        let group = &mut self.groups[*head as usize];
        let taken = Group {
            rows: wanted.min(group.rows),
            ..*group
        };
        if taken.rows < group.rows {
            group.rows -= taken.rows;
            group.offset += taken.rows;
        } else {
            *head = group.next;
            if *head == NONE {
                self.occupied.remove(room);
            }
        }
        taken
    }

    /// Makes a group of `rows` rows of another, from row `from` on, with `each` documents more.
    fn fill(&mut self, of: Group, from: u32, rows: u32, first: u32, each: u32, room: usize) {
        let link = self.links.len() as u32;
        self.links.push(Link {
            before: of.link,
            offset: of.offset + from,
            first,
            each,
        });
        let group = self.groups.len() as u32;
        self.groups.push(Group {
            rows,
            link,
            offset: 0,
            next: self.heads[room],
        });
        self.heads[room] = group;
        self.occupied.insert(room);
    }
}
