//! The page of a training in a real browser: Chromium, without a window, driven by `chromedriver`.
//!
//! Where either is missing the tests say so and pass; Debian has them in the packages `chromium`
//! and `chromium-driver`. At the end of each test the page must have asked nothing but its server,
//! and the console must be empty.

mod compare;
mod drawing;
mod keyboard;
mod outside;
mod restart;
mod scrub;
mod serving;
mod support;
mod training;
mod views;
mod zoom;
