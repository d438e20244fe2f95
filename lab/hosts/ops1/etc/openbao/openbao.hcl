# One server, files on disk, and a seal key that systemd hands over: it opens itself after a restart.
ui = false
api_addr = "https://{{ lab_ip }}:8200"
cluster_addr = "https://{{ lab_ip }}:8201"
storage "raft" {
  path    = "/var/lib/openbao"
  node_id = "{{ inventory_hostname }}"
}
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/etc/golive-lab/host.pem"
  tls_key_file  = "/run/credentials/openbao.service/tls_key"
}
seal "static" {
  current_key_id = "lab"
  current_key    = "file:///run/credentials/openbao.service/seal_key"
}
