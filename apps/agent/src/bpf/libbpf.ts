/**
 * The part of libbpf that opens compiled objects: it creates their maps, fits field offsets to the running kernel (CO-RE) and
 * loads their programs. Bound through koffi on first use. What libbpf and the verifier print is caught, never written to
 * the terminal.
 */
import { koffi } from "../kernel/index.ts";

/** An address in libbpf's memory. */
export type Native = bigint;

export interface Libbpf {
  /** Null with errno set. */
  readonly open: (path: string, options: null) => Native | null;
  readonly load: (object: Native) => number;
  readonly close: (object: Native) => void;
  readonly nextProgram: (object: Native, previous: Native | null) => Native | null;
  readonly nextMap: (object: Native, previous: Native | null) => Native | null;
  readonly programName: (program: Native) => string;
  readonly programSection: (program: Native) => string;
  readonly programFd: (program: Native) => number;
  readonly setAutoload: (program: Native, on: boolean) => number;
  readonly setProgramType: (program: Native, type: number) => number;
  readonly setAttachType: (program: Native, type: number) => number;
  readonly mapName: (map: Native) => string;
  readonly mapFd: (map: Native) => number;
  readonly mapType: (map: Native) => number;
  readonly keySize: (map: Native) => number;
  readonly valueSize: (map: Native) => number;
  readonly maxEntries: (map: Native) => number;
  readonly mapFlags: (map: Native) => number;
  readonly isInternal: (map: Native) => boolean;
  readonly setMaxEntries: (map: Native, entries: number) => number;
  readonly setPinPath: (map: Native, path: null) => number;
  readonly reuseFd: (map: Native, fd: number) => number;
  readonly setInnerMapFd: (map: Native, fd: number) => number;
  readonly errno: () => number;
  /** Runs `work` and gives what libbpf said meanwhile, the verifier's log included. */
  readonly listening: <T>(work: () => T) => { readonly result: T; readonly said: string };
}

let loaded: Libbpf | undefined;

/** Throws when there is no libbpf.so.1 on this machine. */
export function libbpf(): Libbpf {
  loaded ??= bind();
  return loaded;
}

const WARNING = 0;
/** libbpf hands a program's whole log to one call. */
const LINE_BYTES = 1 << 24;

function bind(): Libbpf {
  const ffi = koffi();
  const lib = ffi.load("libbpf.so.1");
  const setPrint = lib.func("void *libbpf_set_print(void *)");
  const format = ffi.load("libc.so.6").func("int vsnprintf(void *, size_t, const void *, void *)");
  // A va_list is handed on by address, both on x86-64 and on arm64.
  const printer = ffi.proto("int bulkhead_libbpf_print(int, const void *, void *)");

  return {
    open: lib.func("void *bpf_object__open_file(const char *, const void *)"),
    load: lib.func("int bpf_object__load(void *)"),
    close: lib.func("void bpf_object__close(void *)"),
    nextProgram: lib.func("void *bpf_object__next_program(void *, void *)"),
    nextMap: lib.func("void *bpf_object__next_map(void *, void *)"),
    programName: lib.func("const char *bpf_program__name(void *)"),
    programSection: lib.func("const char *bpf_program__section_name(void *)"),
    programFd: lib.func("int bpf_program__fd(void *)"),
    setAutoload: lib.func("int bpf_program__set_autoload(void *, bool)"),
    setProgramType: lib.func("int bpf_program__set_type(void *, int)"),
    setAttachType: lib.func("int bpf_program__set_expected_attach_type(void *, int)"),
    mapName: lib.func("const char *bpf_map__name(void *)"),
    mapFd: lib.func("int bpf_map__fd(void *)"),
    mapType: lib.func("int bpf_map__type(void *)"),
    keySize: lib.func("uint32_t bpf_map__key_size(void *)"),
    valueSize: lib.func("uint32_t bpf_map__value_size(void *)"),
    maxEntries: lib.func("uint32_t bpf_map__max_entries(void *)"),
    mapFlags: lib.func("uint32_t bpf_map__map_flags(void *)"),
    isInternal: lib.func("bool bpf_map__is_internal(void *)"),
    setMaxEntries: lib.func("int bpf_map__set_max_entries(void *, uint32_t)"),
    setPinPath: lib.func("int bpf_map__set_pin_path(void *, const char *)"),
    reuseFd: lib.func("int bpf_map__reuse_fd(void *, int)"),
    setInnerMapFd: lib.func("int bpf_map__set_inner_map_fd(void *, int)"),
    errno: () => ffi.errno(),
    listening(work) {
      const parts: string[] = [];
      let room: Buffer | undefined;
      const callback = ffi.register((level: number, text: bigint, list: bigint): number => {
        if (level !== WARNING) return 0;
        room ??= Buffer.from(new ArrayBuffer(LINE_BYTES));
        const length = format(room, LINE_BYTES, text, list) as number;
        parts.push(room.toString("utf8", 0, Math.min(Math.max(length, 0), LINE_BYTES - 1)));
        return 0;
      }, ffi.pointer(printer));
      // The listener is the whole process's: it is put back at once, lest another thread's call arrives here.
      const before = setPrint(callback) as bigint | null;
      try {
        return { result: work(), said: parts.join("") };
      } finally {
        setPrint(before);
        ffi.unregister(callback);
      }
    },
  };
}
