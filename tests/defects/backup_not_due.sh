#!/bin/sh
# Waits until the scheduled backup neither runs nor is due within QUIET_S: so it comes between two defects, and never while one is in the lab. There it would
# fail for the defect's sake, keep what was made up, or hold the lock that a restore needs.
QUIET_S=180
for _second in $(seq 600); do
    # The timer first, in one answer: it is "running", with nothing due, from its hour on until the job has ended, also before the job is seen to begin.
    timer=$(systemctl show golive-backup.timer --property=SubState,NextElapseUSecRealtime)
    state=$(printf '%s\n' "$timer" | sed -n 's/^SubState=//p')
    due=$(printf '%s\n' "$timer" | sed -n 's/^NextElapseUSecRealtime=//p')
    runs=$(systemctl show golive-backup.service --property=ActiveState --value)
    left_s=0
    case $state in
        dead) left_s=$((QUIET_S + 1)) ;; # nothing is due where it is switched off
        waiting) left_s=$(($(date --date="$due" +%s) - $(date +%s))) ;;
    esac
    case $runs in
        inactive | failed) [ "$left_s" -gt "$QUIET_S" ] && exit 0 ;;
    esac
    sleep 1
done
echo "golive-backup.timer is $state, due $due, and its service $runs: it did not come round and end" >&2
exit 1
