/**
 * As much of an assembler as feature probes and tests need: a few instructions of eBPF, eight bytes each
 * (Documentation/bpf/standardization/instruction-set.rst).
 */

/** `opcode`, destination and source registers, offset, immediate value. */
function instruction(
  opcode: number,
  destination: number,
  source: number,
  offset: number,
  immediate: number,
): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(opcode, 0);
  bytes.writeUInt8((source << 4) | destination, 1);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(immediate, 4);
  return bytes;
}

/** register = value */
export const setRegister = (register: number, value: number): Buffer =>
  instruction(0xb7, register, 0, 0, value);

/** to = from */
export const copyRegister = (to: number, from: number): Buffer => instruction(0xbf, to, from, 0, 0);

/** register += value */
export const addTo = (register: number, value: number): Buffer =>
  instruction(0x07, register, 0, 0, value);

/** *(u32 *)(register + offset) = value */
export const storeWord = (register: number, offset: number, value: number): Buffer =>
  instruction(0x62, register, 0, offset, value);

/** to = *(u32 *)(from + offset) */
export const loadWord = (to: number, from: number, offset: number): Buffer =>
  instruction(0x61, to, from, offset, 0);

/** register = the map behind a descriptor; two instructions long. */
export const loadMap = (register: number, fd: number): Buffer =>
  Buffer.concat([instruction(0x18, register, 1, 0, fd), instruction(0, 0, 0, 0, 0)]);

/** Goes on `over` instructions later when the register equals the value. */
export const skipIfEqual = (register: number, value: number, over: number): Buffer =>
  instruction(0x15, register, 0, over, value);

/** A helper by its number; arguments in registers 1 to 5, result in register 0. */
export const callHelper = (number: number): Buffer => instruction(0x85, 0, 0, 0, number);

/** return register 0 */
export const leave = (): Buffer => instruction(0x95, 0, 0, 0, 0);

export const assemble = (...instructions: readonly Buffer[]): Buffer => Buffer.concat(instructions);

/** The shortest program there is. */
export const returning = (value: number): Buffer => assemble(setRegister(0, value), leave());
