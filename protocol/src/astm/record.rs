//! LIS02-A2.
