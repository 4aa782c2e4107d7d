//! LIS01-A2 and LIS02-A2, the successors of ASTM E1381 and E1394.

pub mod link;
pub mod record;
