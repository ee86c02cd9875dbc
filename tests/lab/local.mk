# tests with real guests
