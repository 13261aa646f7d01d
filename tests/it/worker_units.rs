//! The units of the worker.
