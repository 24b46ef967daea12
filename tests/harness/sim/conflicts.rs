//! When another VM gets in between a get and the set that follows it.

use super::world::splitmix;

/// The plan of conflicts in a world.
#[derive(Default)]
pub(crate) struct Conflicts {
    times: u32,
    draw: Option<(u64, u8)>,
    acts: Vec<Box<dyn FnOnce()>>,
}

/// What is to happen before a compare-and-set is looked at.
pub(crate) enum Before {
    /// Nothing gets in between.
    Nothing,
    /// Another VM rewrites the value: the set loses.
    Rewrite,
    /// Something arbitrary happens, perhaps to this very key.
    Act(Box<dyn FnOnce()>),
}

impl Conflicts {
    pub(crate) fn plan(&mut self, times: u32) {
        self.times = times;
    }

    pub(crate) fn draw(&mut self, seed: u64, percent: u8) {
        self.draw = (percent > 0).then_some((seed, percent));
    }

    pub(crate) fn once(&mut self, act: Box<dyn FnOnce()>) {
        self.acts.push(act);
    }

    /// Decides for one compare-and-set.
    pub(crate) fn next(&mut self) -> Before {
        if let Some(act) = self.acts.pop() {
            return Before::Act(act);
        }
        if self.times > 0 {
            self.times -= 1;
            return Before::Rewrite;
        }
        if let Some((state, percent)) = &mut self.draw
            && splitmix(state) % 100 < u64::from(*percent)
        {
            return Before::Rewrite;
        }
        Before::Nothing
    }
}
