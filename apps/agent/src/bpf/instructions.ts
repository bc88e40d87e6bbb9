/**
 * As much of an assembler as feature probes need: three instructions of eBPF, eight bytes each
 * (Documentation/bpf/standardization/instruction-set.rst).
 */

function instruction(opcode: number, destination: number, immediate: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(opcode, 0);
  bytes.writeUInt8(destination, 1);
  bytes.writeInt32LE(immediate, 4);
  return bytes;
}

/** register = value */
export const setRegister = (register: number, value: number): Buffer =>
  instruction(0xb7, register, value);

/** A helper by its number; arguments in registers 1 to 5, result in register 0. */
export const callHelper = (number: number): Buffer => instruction(0x85, 0, number);

/** return register 0 */
export const leave = (): Buffer => instruction(0x95, 0, 0);

export const assemble = (...instructions: readonly Buffer[]): Buffer => Buffer.concat(instructions);

/** The shortest program there is. */
export const returning = (value: number): Buffer => assemble(setRegister(0, value), leave());
