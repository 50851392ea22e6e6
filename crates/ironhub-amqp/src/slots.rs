//! Things addressed by a number that is never reused for another thing: sessions and links of one connection.

/// Where a thing is, and which one: a place may be used again, a key is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) index: u16,
    serial: u32,
}

#[derive(Debug)]
pub(crate) struct Slots<T> {
    places: Vec<Option<(u32, T)>>,
    next_serial: u32,
    len: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            next_serial: 0,
            len: 0,
        }
    }
}

impl<T> Slots<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes the lowest free place up to `index_max`; gives the thing back when there is none.
    pub(crate) fn insert(&mut self, thing: T, index_max: u16) -> Result<Key, T> {
        let free = if self.len == self.places.len() {
            None
        } else {
            self.places.iter().position(Option::is_none)
        };
        let Some(index) = u16::try_from(free.unwrap_or(self.places.len()))
            .ok()
            .filter(|index| *index <= index_max)
        else {
            return Err(thing);
        };
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        self.len += 1;
        match self.places.get_mut(usize::from(index)) {
            Some(place) => *place = Some((serial, thing)),
            None => self.places.push(Some((serial, thing))),
        }
        Ok(Key { index, serial })
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let (serial, thing) = self.places.get(usize::from(key.index))?.as_ref()?;
        (*serial == key.serial).then_some(thing)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (serial, thing) = self.places.get_mut(usize::from(key.index))?.as_mut()?;
        (*serial == key.serial).then_some(thing)
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let (_, thing) = self.places.get_mut(usize::from(key.index))?.take()?;
        self.len -= 1;
        while matches!(self.places.last(), Some(None)) {
            self.places.pop();
        }
        Some(thing)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(index, place)| {
            let (serial, thing) = place.as_ref()?;
            Some((
                Key {
                    index: u16::try_from(index).ok()?,
                    serial: *serial,
                },
                thing,
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_key_does_not_find_the_place_again() {
        let mut slots = Slots::default();
        let first = slots.insert('a', 1).unwrap();
        let second = slots.insert('b', 1).unwrap();
        assert_eq!(slots.insert('c', 1), Err('c'), "no third place");
        assert_eq!(
            (slots.remove(first), slots.remove(first), slots.len()),
            (Some('a'), None, 1)
        );
        let third = slots.insert('c', 1).unwrap();
        assert_eq!((first.index, third.index), (0, 0), "the lowest free place");
        assert_eq!(
            (slots.get(first), slots.get(second), slots.get(third)),
            (None, Some(&'b'), Some(&'c'))
        );
        assert!(
            slots
                .iter()
                .map(|(key, thing)| (key.index, *thing))
                .eq([(0, 'c'), (1, 'b')])
        );
    }
}
