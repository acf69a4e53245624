"""The same training by torchatlas and by other libraries: a page for each of them, behind one contract."""
