// A file system over FUSE that does not tell upper and lower case apart, as NTFS, exFAT and SMB do, and that knows neither files without a
// name nor renaming without replacing. It may also be one that keeps little of what surrounds content, as exFAT does.

import TestSupport

enum FoldingFileSystem {
    static let isAvailable =
        runShell("/usr/bin/python3 -c 'import fusepy as fuse' && test -c /dev/fuse && which fusermount").status == 0

    /// Shell commands that mount it as `folding`, over the folder `below`.
    /// - Parameters:
    ///   - links: whether it has hard links.
    ///   - poor: whether it gives all files one owner and one mode, refuses nothing, knows whole seconds only and numbers files by their
    ///     names, from which it takes dots at the end.
    ///   - folds: whether it takes names in other letters, or composed otherwise, for the same.
    static func mount(links: Bool = true, poor: Bool = false, folds: Bool = true) -> String {
        """
        mkdir -p below folding; cat > folding.py <<'END'
        \(server)
        END
        /usr/bin/python3 folding.py below folding \(links ? 1 : 0) \(poor ? 1 : 0) \(folds ? 1 : 0) > fuse.txt 2>&1 &
        for i in $(seq 100); do mountpoint -q folding && break; sleep 0.1; done
        mountpoint -q folding || { cat fuse.txt; exit 99; }
        """
    }

    static let unmount = "fusermount -u folding || umount -l folding; wait"

    private static let server = """
        import errno, os, stat, sys, unicodedata; import fusepy as fuse
        root, (links, poor, folds) = os.path.abspath(sys.argv[1]), [a == "1" for a in sys.argv[3:6]]
        def plain(name): return unicodedata.normalize("NFC", name).lower()
        def same(a, b): return a == b or folds and plain(a) == plain(b)
        class Folding(fuse.Operations):
            def real(self, path):
                place = root
                for name in path.split("/"):
                    if not name: continue
                    if poor: name = name.rstrip(".")
                    try: names = os.listdir(place)
                    except OSError: names = []
                    place += "/" + next((n for n in names if same(n, name)), name)
                return place
            def getattr(self, path, handle=None):
                s = os.lstat(self.real(path))
                d = {k: getattr(s, k) for k in ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks",
                                                "st_atime", "st_mtime", "st_ctime")}
                if poor: d.update(st_mode=s.st_mode | 0o777, st_uid=1000, st_gid=1000, st_mtime=int(s.st_mtime))
                return d
            def readdir(self, path, handle): return [".", ".."] + os.listdir(self.real(path))
            def mkdir(self, path, mode): os.mkdir(self.real(path), mode)
            def rmdir(self, path): os.rmdir(self.real(path))
            def unlink(self, path): os.unlink(self.real(path))
            def create(self, path, mode, info=None): return os.open(self.real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
            def open(self, path, flags): return os.open(self.real(path), flags & os.O_ACCMODE)
            def read(self, path, size, offset, handle): return os.pread(handle, size, offset)
            def write(self, path, data, offset, handle): return os.pwrite(handle, data, offset)
            def truncate(self, path, length, handle=None): os.truncate(self.real(path), length)
            def release(self, path, handle): os.close(handle)
            def fsync(self, path, datasync, handle): os.fsync(handle)
            def rename(self, old, new):
                name = os.path.basename(new)
                target = os.path.join(self.real(os.path.dirname(new)), name.rstrip(".") if poor else name)
                there = self.real(new)
                if there != target and os.path.lexists(there) and there != self.real(old): target = there
                os.rename(self.real(old), target)
            def link(self, target, source):
                if not links: raise fuse.FuseOSError(errno.EPERM)
                os.link(self.real(source), self.real(target), follow_symlinks=False)
            def symlink(self, target, source): os.symlink(source, self.real(target))
            def readlink(self, path): return os.readlink(self.real(path))
            def chmod(self, path, mode): poor or os.chmod(self.real(path), mode)
            def chown(self, path, user, group): poor or os.lchown(self.real(path), user, group)
            def utimens(self, path, times=None): os.utime(self.real(path), times, follow_symlinks=False)
            def statfs(self, path):
                s = os.statvfs(root)
                return {k: getattr(s, k) for k in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree")}
        fuse.FUSE(Folding(), sys.argv[2], foreground=True, nothreads=True, default_permissions=True, **({} if poor else {"use_ino": True}))
        """
}
