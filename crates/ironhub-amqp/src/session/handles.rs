use crate::connection::LinkId;

/// The links of a session by our numbers and by the peer's. The two are unrelated: each side numbers what it sends.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    ours: Vec<Option<LinkId>>,
    /// Sorted by the peer's number.
    theirs: Vec<(u32, LinkId)>,
}

impl Handles {
    pub(crate) const fn new() -> Self {
        Self {
            ours: Vec::new(),
            theirs: Vec::new(),
        }
    }

    /// Our lowest free number, when the peer takes it.
    pub(crate) fn free(&self, handle_max: u32) -> Option<u32> {
        let index = self.ours.iter().position(Option::is_none).unwrap_or(self.ours.len());
        u32::try_from(index).ok().filter(|handle| *handle <= handle_max)
    }

    pub(crate) fn set_ours(&mut self, handle: u32, link: Option<LinkId>) {
        let Ok(index) = usize::try_from(handle) else { return };
        if let Some(place) = self.ours.get_mut(index) {
            *place = link;
        } else if index == self.ours.len() {
            self.ours.push(link);
        }
        while matches!(self.ours.last(), Some(None)) {
            self.ours.pop();
        }
    }

    pub(crate) fn by_theirs(&self, handle: u32) -> Option<LinkId> {
        let index = self.theirs.binary_search_by_key(&handle, |(theirs, _)| *theirs).ok()?;
        self.theirs.get(index).map(|(_, link)| *link)
    }

    pub(crate) fn insert_theirs(&mut self, handle: u32, link: LinkId) {
        match self.theirs.binary_search_by_key(&handle, |(theirs, _)| *theirs) {
            Ok(index) => {
                if let Some(place) = self.theirs.get_mut(index) {
                    place.1 = link;
                }
            }
            Err(index) => self.theirs.insert(index, (handle, link)),
        }
    }

    pub(crate) fn remove_theirs(&mut self, handle: u32) {
        if let Ok(index) = self.theirs.binary_search_by_key(&handle, |(theirs, _)| *theirs) {
            self.theirs.remove(index);
        }
    }

    /// All links, in the order of our numbers.
    pub(crate) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.ours.iter().flatten().copied()
    }
}
