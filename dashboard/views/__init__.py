"""What each page shows, as frozen values made from what storage read: all words and numbers are chosen here."""
