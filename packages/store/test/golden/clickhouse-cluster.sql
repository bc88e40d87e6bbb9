CREATE DATABASE IF NOT EXISTS flows ON CLUSTER fleet;

CREATE TABLE IF NOT EXISTS flows.flows_local ON CLUSTER fleet (
  start_ms Int64 CODEC(Delta, ZSTD), end_ms Int64 CODEC(Delta, ZSTD),
  day UInt32 MATERIALIZED intDiv(greatest(start_ms, 0), 86400000),
  era UInt32,
  src_address LowCardinality(String), src_workload LowCardinality(String), src_name LowCardinality(String),
  src_labels LowCardinality(String), src_names LowCardinality(String),
  dst_address LowCardinality(String), dst_workload LowCardinality(String), dst_name LowCardinality(String),
  dst_labels LowCardinality(String), dst_names LowCardinality(String),
  protocol UInt8, port UInt16, verdict LowCardinality(String), rule LowCardinality(String), probe Bool,
  origin LowCardinality(String),
  source_port UInt16, cookie LowCardinality(String), direction LowCardinality(String), node LowCardinality(String),
  src_process String CODEC(ZSTD), dst_process String CODEC(ZSTD), request String CODEC(ZSTD),
  connections UInt64, established UInt64, failed UInt64, bytes UInt64, packets UInt64
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/flows/flows', '{replica}')
PARTITION BY intDiv(day, 7)
ORDER BY (day, src_name, dst_name, start_ms)
TTL toDateTime(least(intDiv(end_ms, 1000), 4294967295)) + toIntervalDay(30)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS flows.flows ON CLUSTER fleet AS flows.flows_local
ENGINE = Distributed(fleet, flows, flows_local, cityHash64(src_address, dst_address));

CREATE TABLE IF NOT EXISTS flows.edge_days_local ON CLUSTER fleet (
  day UInt32, era UInt32,
  src_address LowCardinality(String), src_workload LowCardinality(String), src_name LowCardinality(String),
  src_labels LowCardinality(String), src_names LowCardinality(String),
  dst_address LowCardinality(String), dst_workload LowCardinality(String), dst_name LowCardinality(String),
  dst_labels LowCardinality(String), dst_names LowCardinality(String),
  protocol UInt8, port UInt16, verdict LowCardinality(String), rule LowCardinality(String), probe Bool,
  origin LowCardinality(String),
  connections SimpleAggregateFunction(sum, UInt64), established SimpleAggregateFunction(sum, UInt64), failed SimpleAggregateFunction(sum, UInt64), bytes SimpleAggregateFunction(sum, UInt64), packets SimpleAggregateFunction(sum, UInt64),
  first_ms SimpleAggregateFunction(min, Int64), last_ms SimpleAggregateFunction(max, Int64),
  latest_ms SimpleAggregateFunction(max, Int64), hours SimpleAggregateFunction(groupBitOr, UInt32),
  seconds AggregateFunction(groupBitmap, UInt32)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/flows/edge_days', '{replica}')
PARTITION BY intDiv(day, 28)
PRIMARY KEY (day, src_name, dst_name, port)
ORDER BY (day, src_name, dst_name, port, protocol, verdict, src_address, dst_address, src_workload, dst_workload, rule, probe, era, src_labels, dst_labels, src_names, dst_names, origin)
TTL toDateTime(least(toUInt64(day) * 86400, 4294967295)) + toIntervalDay(401)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS flows.edge_days ON CLUSTER fleet AS flows.edge_days_local
ENGINE = Distributed(fleet, flows, edge_days_local, cityHash64(src_address, dst_address));

CREATE TABLE IF NOT EXISTS flows.watched_local ON CLUSTER fleet (
  day UInt32, hours SimpleAggregateFunction(groupBitOr, UInt32)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/flows/watched', '{replica}')
PARTITION BY intDiv(day, 28)
ORDER BY (day)
TTL toDateTime(least(toUInt64(day) * 86400, 4294967295)) + toIntervalDay(401)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS flows.watched ON CLUSTER fleet AS flows.watched_local
ENGINE = Distributed(fleet, flows, watched_local, day);

CREATE TABLE IF NOT EXISTS flows.watched_by_local ON CLUSTER fleet (
  day UInt32, format LowCardinality(String), hours SimpleAggregateFunction(groupBitOr, UInt32)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/flows/watched_by', '{replica}')
PARTITION BY intDiv(day, 28)
ORDER BY (day, format)
TTL toDateTime(least(toUInt64(day) * 86400, 4294967295)) + toIntervalDay(401)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS flows.watched_by ON CLUSTER fleet AS flows.watched_by_local
ENGINE = Distributed(fleet, flows, watched_by_local, day);

CREATE TABLE IF NOT EXISTS flows.intake ON CLUSTER fleet (
  boot String, sequence SimpleAggregateFunction(max, UInt64)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/flows/intake', '{shard}-{replica}')
ORDER BY (boot)
SETTINGS replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS flows.digests_local ON CLUSTER fleet (
  hour UInt32, digest Int64
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/flows/digests', '{replica}')
ORDER BY (hour, digest)
TTL toDateTime(least(toUInt64(hour) * 3600, 4294967295)) + toIntervalDay(401)
SETTINGS replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS flows.digests ON CLUSTER fleet AS flows.digests_local
ENGINE = Distributed(fleet, flows, digests_local, cityHash64(digest));

CREATE TABLE IF NOT EXISTS flows.summed ON CLUSTER fleet (
  day UInt32, era SimpleAggregateFunction(max, UInt32)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/flows/summed', '{shard}-{replica}')
ORDER BY (day)
SETTINGS replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS flows.feed_edge_days ON CLUSTER fleet TO flows.edge_days_local AS
SELECT day, era, src_name, dst_name, port, protocol, verdict, src_address, dst_address, src_workload, dst_workload, rule, probe, src_labels, dst_labels, src_names, dst_names, origin,
  sum(f.connections) AS connections, sum(f.established) AS established, sum(f.failed) AS failed, sum(f.bytes) AS bytes, sum(f.packets) AS packets,
  min(f.start_ms) AS first_ms, max(f.end_ms) AS last_ms, max(f.start_ms) AS latest_ms,
  groupBitOr(if(f.connections > 0, bitShiftLeft(toUInt32(1), intDiv(f.start_ms, 3600000) % 24), toUInt32(0))) AS hours,
  groupBitmapStateIf(toUInt32(intDiv(f.start_ms, 1000) % 86400), f.connections > 0) AS seconds FROM flows.flows_local AS f GROUP BY day, era, src_name, dst_name, port, protocol, verdict, src_address, dst_address, src_workload, dst_workload, rule, probe, src_labels, dst_labels, src_names, dst_names, origin;

CREATE MATERIALIZED VIEW IF NOT EXISTS flows.feed_watched ON CLUSTER fleet TO flows.watched_local AS
SELECT day, groupBitOr(bitShiftLeft(toUInt32(1), intDiv(start_ms, 3600000) % 24)) AS hours FROM flows.flows_local AS f GROUP BY day;

CREATE MATERIALIZED VIEW IF NOT EXISTS flows.feed_watched_by ON CLUSTER fleet TO flows.watched_by_local AS
SELECT day, if(origin = '', 'agent', JSONExtractString(origin, 'format')) AS format, groupBitOr(bitShiftLeft(toUInt32(1), intDiv(start_ms, 3600000) % 24)) AS hours FROM flows.flows_local AS f GROUP BY day, format;

ALTER TABLE flows.flows_local ON CLUSTER fleet MODIFY TTL toDateTime(least(intDiv(end_ms, 1000), 4294967295)) + toIntervalDay(30) SETTINGS materialize_ttl_after_modify = 0;

ALTER TABLE flows.edge_days_local ON CLUSTER fleet MODIFY TTL toDateTime(least(toUInt64(day) * 86400, 4294967295)) + toIntervalDay(401) SETTINGS materialize_ttl_after_modify = 0;

ALTER TABLE flows.watched_local ON CLUSTER fleet MODIFY TTL toDateTime(least(toUInt64(day) * 86400, 4294967295)) + toIntervalDay(401) SETTINGS materialize_ttl_after_modify = 0;

ALTER TABLE flows.watched_by_local ON CLUSTER fleet MODIFY TTL toDateTime(least(toUInt64(day) * 86400, 4294967295)) + toIntervalDay(401) SETTINGS materialize_ttl_after_modify = 0;

ALTER TABLE flows.digests_local ON CLUSTER fleet MODIFY TTL toDateTime(least(toUInt64(hour) * 3600, 4294967295)) + toIntervalDay(401) SETTINGS materialize_ttl_after_modify = 0;
