package specv1;

import static java.lang.Long.rotateLeft;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** XXH64 with seed 0: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
final class Xxh64 {
    private static final long PRIME1 = 0x9E3779B185EBCA87L;
    private static final long PRIME2 = 0xC2B2AE3D27D4EB4FL;
    private static final long PRIME3 = 0x165667B19E3779F9L;
    private static final long PRIME4 = 0x85EBCA77C2B2AE63L;
    private static final long PRIME5 = 0x27D4EB2F165667C5L;
    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INTS =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    private Xxh64() {}

    static long hash(byte[] data, int start, int end) {
        int at = start;
        long hash = PRIME5;
        if (end - at >= 32) {
            long v1 = PRIME1 + PRIME2, v2 = PRIME2, v3 = 0, v4 = -PRIME1;
            for (; end - at >= 32; at += 32) {
                v1 = round(v1, (long) LONGS.get(data, at));
                v2 = round(v2, (long) LONGS.get(data, at + 8));
                v3 = round(v3, (long) LONGS.get(data, at + 16));
                v4 = round(v4, (long) LONGS.get(data, at + 24));
            }
            hash =
                    rotateLeft(v1, 1)
                            + rotateLeft(v2, 7)
                            + rotateLeft(v3, 12)
                            + rotateLeft(v4, 18);
            hash = merged(merged(merged(merged(hash, v1), v2), v3), v4);
        }
        hash += end - start;
        for (; end - at >= 8; at += 8) {
            hash ^= round(0, (long) LONGS.get(data, at));
            hash = rotateLeft(hash, 27) * PRIME1 + PRIME4;
        }
        if (end - at >= 4) {
            hash ^= ((int) INTS.get(data, at) & 0xFFFFFFFFL) * PRIME1;
            hash = rotateLeft(hash, 23) * PRIME2 + PRIME3;
            at += 4;
        }
        for (; at < end; at++) {
            hash = rotateLeft(hash ^ (data[at] & 0xFF) * PRIME5, 11) * PRIME1;
        }
        hash = (hash ^ hash >>> 33) * PRIME2;
        hash = (hash ^ hash >>> 29) * PRIME3;
        return hash ^ hash >>> 32;
    }

    private static long round(long sum, long input) {
        return rotateLeft(sum + input * PRIME2, 31) * PRIME1;
    }

    private static long merged(long hash, long value) {
        return (hash ^ round(0, value)) * PRIME1 + PRIME4;
    }
}
