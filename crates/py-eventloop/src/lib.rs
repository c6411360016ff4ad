//! The extension module `nexus._eventloop`: what of an asyncio event loop is called often.
//!
//! `Core` is a base class: the ready queue, timers, watched descriptors and the step of the loop. What is called
//! seldom is inherited from asyncio, in `python/nexus/eventloop`, and debug mode is asyncio's own.

mod raw;
