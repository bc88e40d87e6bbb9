/**
 * Configuration of the off-the-shelf programs (nginx, PostgreSQL, Redis, dnsmasq), as text. They listen on
 * all addresses of both families, as they would in a container; nothing in them protects them from each other.
 */
import { GATEWAY, WORKLOADS, WORLD, ZONE, ipv4Of, ipv6Of, workloadNamed } from "../topology.ts";

export function nginxConfig(directory: string): string {
  const dns = workloadNamed("dns");
  return `daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  keepalive_requests 100000;
  resolver ${ipv4Of(dns)} [${ipv6Of(dns)}] valid=3s;
  resolver_timeout 2s;
  server {
    listen 80;
    listen [::]:80;
    # Answered by nginx itself: the request used to measure the network's share of latency.
    location = /healthz { return 200 "ok\\n"; }
    location / {
      set $backend storefront.${ZONE};
      proxy_pass http://$backend:8080;
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_read_timeout 300s;
      proxy_connect_timeout 2s;
    }
  }
  server {
    listen 8088;
    listen [::]:8088;
    location = /status { stub_status; }
  }
}
`;
}

export function postgresConfig(directory: string): string {
  return `listen_addresses = '*'
port = 5432
unix_socket_directories = '${directory}'
max_connections = 120
shared_buffers = 16MB
fsync = off
synchronous_commit = off
full_page_writes = off
dynamic_shared_memory_type = mmap
logging_collector = off
log_connections = off
password_encryption = 'scram-sha-256'
`;
}

export const POSTGRES_HBA = `local all postgres peer
host all all 0.0.0.0/0 scram-sha-256
host all all ::/0 scram-sha-256
`;

/** One role a program; the intruder has found the report's password in an old backup. */
export const PASSWORDS = { storefront: "browse", checkout: "till", report: "ledger" } as const;

export const SCHEMA = `
create role storefront login password '${PASSWORDS.storefront}';
create role checkout login password '${PASSWORDS.checkout}';
create role report login password '${PASSWORDS.report}';
create database shop;
\\connect shop
create table products (sku text primary key, name text not null, cents integer not null);
insert into products select 'sku-' || n, 'product ' || n, 100 * n from generate_series(1, 40) n;
create table customers (id integer primary key, name text not null, card text not null);
insert into customers select n, 'customer ' || n, '4000 0000 0000 ' || 1000 + n from generate_series(1, 100) n;
create table orders (id bigserial primary key, sku text not null references products, placed timestamptz not null default now());
grant select on products to storefront, checkout, report;
grant insert, select on orders to checkout;
grant usage on sequence orders_id_seq to checkout;
grant select on orders, customers to report;
`;

export function redisConfig(directory: string): string {
  return `bind * -::*
port 6379
protected-mode no
daemonize no
save ""
appendonly no
dir ${directory}
maxmemory 32mb
`;
}

/** Names of all workloads with A and AAAA; one address each unless several workloads share the name. */
export function dnsmasqConfig(): string {
  const records = [
    ...WORKLOADS.flatMap((workload) =>
      workload.names.map(
        (name) => `host-record=${name}.${ZONE},${ipv4Of(workload)},${ipv6Of(workload)},2`,
      ),
    ),
    `host-record=host.${ZONE},${GATEWAY.ipv4},${GATEWAY.ipv6},2`,
    ...WORLD.map((server) => `host-record=${server.name},${server.ipv4},${server.ipv6},2`),
  ];
  return `port=53
no-resolv
no-hosts
no-poll
user=root
log-facility=-
cache-size=0
local=/${ZONE}/
local=/example/
${records.join("\n")}
`;
}
