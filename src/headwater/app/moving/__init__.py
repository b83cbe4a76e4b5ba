"""Moving a house from one machine's files to the store and log of many machines (docs/design/0027).

In goes a data folder whose house is stopped, and the settings of the new one. The old house first finishes what it
holds (`drain`); then its log is copied record by record, each keeping its partition and position (`records`), and its
store in one transaction (`rows`), verified by counts and checksums. Until that transaction is committed nothing is
moved: an interrupted move is begun again and goes on. It refuses a target that holds anything, and fewer partitions
than the old log has.
"""
