//! The index beside what a full walk says, on the model disk and without a thread.

mod damage;
mod gather;
mod life;
mod rig;
mod sealing;
mod sidecars;
