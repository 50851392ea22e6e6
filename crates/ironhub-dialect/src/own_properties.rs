//! A message's own properties while they are being read.

use std::borrow::Cow;
use std::collections::HashMap;

use ironhub_model::message::AppProperty;

/// The sender's own properties: the last of two with one name wins, in the first one's place.
#[derive(Debug, Default)]
pub(crate) struct OwnProperties<'a> {
    list: Vec<AppProperty<'a>>,
    places: HashMap<Cow<'a, str>, usize>,
}

impl<'a> OwnProperties<'a> {
    /// From here on a map finds duplicates, so that a hostile bag of thousands costs no quadratic time.
    const SCANNED_MAX: usize = 16;

    /// Adds a property, or gives an earlier one of that name its new value.
    pub(crate) fn set(&mut self, name: Cow<'a, str>, value: Option<Cow<'a, str>>) {
        let place = if self.list.len() < Self::SCANNED_MAX {
            self.list.iter().position(|(other, _)| *other == name)
        } else {
            if self.places.is_empty() {
                self.places = self
                    .list
                    .iter()
                    .enumerate()
                    .map(|(place, (name, _))| (name.clone(), place))
                    .collect();
            }
            self.places.get(&name).copied()
        };
        if let Some(entry) = place.and_then(|place| self.list.get_mut(place)) {
            entry.1 = value;
            return;
        }
        if self.list.len() >= Self::SCANNED_MAX {
            self.places.insert(name.clone(), self.list.len());
        }
        self.list.push((name, value));
    }

    /// All of them, in the sender's order.
    pub(crate) fn into_list(self) -> Vec<AppProperty<'a>> {
        self.list
    }
}
