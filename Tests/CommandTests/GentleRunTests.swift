// What runs by itself shares the machine with a plant's control task. Many kernels finish a call before anybody else comes, so that a call must
// not take long.

import TestSupport
import Testing

@Suite struct GentleRunTests {
    /// A job of one large file that nothing compresses, done once.
    private let place: Workplace = {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; head -c 3M /dev/urandom > tree/file
            cat > config.toml <<'END'
            [stores]
            local = "\(place.file("local"))"
            [jobs.plant]
            sources = ["\(place.file("tree"))"]
            to = ["local"]
            every = "1d"
            END
            """)
        place.holdfast("store init local --quiet")
        return place
    }()

    /// The most bytes that one call has moved to or from a file of the folder, and how many calls there were.
    private func most(_ call: String, in folder: String) -> (bytes: Int, calls: Int) {
        let lines = place.shell(
            "grep -ahE '\(call)\\([0-9]+<[^>]*/\(folder)/' trace.* | sed -n 's/.* = \\([0-9]*\\)$/\\1/p'"
        ).output
        let counts = lines.split(separator: "\n").compactMap { Int($0) }
        return (counts.max() ?? 0, counts.count)
    }

    @Test("What runs by itself reads and writes in small pieces, with nothing read ahead")
    func pieces() {
        let run = place.shell(
            "strace -ff -y -o trace -e trace=pread64,write,fadvise64 holdfast schedule run --config config.toml --quiet"
        )
        #expect(run.status == 0, "\(run)")
        let (read, written) = (most("pread64", in: "tree"), most("write", in: "local"))
        #expect(read.bytes == 32 << 10 && read.calls >= 96, "\(read)")
        #expect(written.bytes == 64 << 10 && written.calls >= 48, "\(written)")
        #expect(place.shell("grep -ahE 'fadvise64\\([0-9]+<[^>]*/tree/.*RANDOM' trace.*").status == 0)
        let restored = place.shell("holdfast restore latest --from local --to back --quiet && cmp tree/file back/file")
        #expect(restored.status == 0, "\(restored)")
    }

    @Test("Who waits for a job has it as fast as it goes")
    func fast() {
        let run = place.shell(
            "strace -ff -y -o trace -e trace=pread64,write,fadvise64 holdfast schedule run plant --config config.toml --quiet"
        )
        #expect(run.status == 0, "\(run)")
        let read = most("pread64", in: "tree")
        #expect(read.bytes == 128 << 10, "\(read)")
        #expect(place.shell("grep -ah 'fadvise64(.*RANDOM' trace.*").output.isEmpty)
    }
}
