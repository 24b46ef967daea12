//! May this stored response answer this request, now or once the origin was asked?
