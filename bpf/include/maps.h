/* The maps that both the packet programs and their test look into. Sizes are set by the loader. */
#ifndef BULKHEAD_MAPS_H
#define BULKHEAD_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"

#define DEFINE_MAP(name, kind, entries, key_type, value_type, flags)                               \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
		__uint(map_flags, flags);                                                          \
	} name SEC(".maps")

/* The epoch in force; 0: nothing was ever applied. */
DEFINE_MAP(bh_epoch, BPF_MAP_TYPE_ARRAY, 1, u32, u32, 0);
DEFINE_MAP(bh_settings, BPF_MAP_TYPE_ARRAY, 2, u32, struct settings, 0);
DEFINE_MAP(bh_subjects, BPF_MAP_TYPE_HASH, 65536, struct subject_key, struct versioned, 0);
DEFINE_MAP(bh_peers, BPF_MAP_TYPE_HASH, 1048576, struct address, struct versioned,
	   BPF_F_NO_PREALLOC);
DEFINE_MAP(bh_ranges4, BPF_MAP_TYPE_LPM_TRIE, 1048576, struct prefix4, struct versioned,
	   BPF_F_NO_PREALLOC);
DEFINE_MAP(bh_ranges6, BPF_MAP_TYPE_LPM_TRIE, 1048576, struct prefix6, struct versioned,
	   BPF_F_NO_PREALLOC);
DEFINE_MAP(bh_cells, BPF_MAP_TYPE_HASH, 1048576, struct cell_key, struct versioned,
	   BPF_F_NO_PREALLOC);
DEFINE_MAP(bh_rows, BPF_MAP_TYPE_ARRAY, 16384, u32, struct row, 0);
DEFINE_MAP(bh_ports, BPF_MAP_TYPE_HASH, 1048576, struct port_key, u32, BPF_F_NO_PREALLOC);
DEFINE_MAP(bh_port_ranges, BPF_MAP_TYPE_LPM_TRIE, 1048576, struct port_prefix, u32,
	   BPF_F_NO_PREALLOC);
DEFINE_MAP(bh_timed4, BPF_MAP_TYPE_LPM_TRIE, 65536, struct timed_prefix4, struct versioned,
	   BPF_F_NO_PREALLOC);
DEFINE_MAP(bh_timed6, BPF_MAP_TYPE_LPM_TRIE, 65536, struct timed_prefix6, struct versioned,
	   BPF_F_NO_PREALLOC);
DEFINE_MAP(bh_timed_lists, BPF_MAP_TYPE_HASH, 16384, u32, struct timed_list, BPF_F_NO_PREALLOC);
DEFINE_MAP(bh_locals, BPF_MAP_TYPE_HASH, 65536, struct address, struct versioned, 0);
DEFINE_MAP(bh_resolvers, BPF_MAP_TYPE_HASH, 256, struct resolver_key, struct versioned, 0);
DEFINE_MAP(bh_classes, BPF_MAP_TYPE_HASH, 65536, u32, struct class_name, BPF_F_NO_PREALLOC);
/* Cookies, by decision. */
DEFINE_MAP(bh_decisions, BPF_MAP_TYPE_ARRAY, 65536, u32, u32, 0);
/* decision * 6 + plane * 2 + direction */
DEFINE_MAP(bh_counters, BPF_MAP_TYPE_PERCPU_ARRAY, 393216, u32, struct counter, 0);

#endif
