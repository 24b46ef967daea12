//! What of a query belongs to the key.
