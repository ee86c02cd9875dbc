#!/bin/bash
# lpard killed at random moments of operations on real guests: some of what ./lab soak does.
# budget: 150
kills=3
. "$(dirname "$0")/kills.sh"
