"""What a bug report needs of a run, without what names anybody."""
