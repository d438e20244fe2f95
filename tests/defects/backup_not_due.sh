#!/bin/sh
# Waits until the scheduled backup neither runs nor is due within QUIET_S: so it comes between two defects, and never while one is in the lab. There it would
# fail for the defect's sake, keep what was made up, or hold the lock that a restore needs.
QUIET_S=180
for _second in $(seq 600); do
    runs=$(systemctl show golive-backup.service --property=ActiveState --value)
    due=$(systemctl show golive-backup.timer --property=NextElapseUSecRealtime --value)
    case $runs in
        inactive | failed) [ -z "$due" ] || [ $(($(date --date="$due" +%s) - $(date +%s))) -gt "$QUIET_S" ] && exit 0 ;;
    esac
    sleep 1
done
echo "golive-backup.service is $runs and due $due: it did not come round and end" >&2
exit 1
