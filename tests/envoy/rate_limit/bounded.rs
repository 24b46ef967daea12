//! A flood of distinct keys costs a bounded memory and loses no exhausted key.
