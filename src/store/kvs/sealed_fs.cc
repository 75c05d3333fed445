/* SPDX-License-Identifier: Apache-2.0 */
/* Glue only: each call becomes one of the volume. An exception inside RocksDB is undefined, so
 * every function catches all. Derived from FileSystem and not from FileSystemWrapper: a call that
 * is missing here must fail, not reach the disk. */
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/options.h>
#include <rocksdb/version.h>

#include <unistd.h>

#include <cassert>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "store/kvs/sealed_fs.h"
}
#undef OK /* ours of err.h; Status has one, too */

#if ROCKSDB_MAJOR != 7 || ROCKSDB_MINOR != 8
#error "the completed types below are those of RocksDB 7.8"
#endif
#ifdef NDEBUG
#error "options.h differs with NDEBUG; the library was built without"
#endif

using namespace rocksdb;

/* As the library's db/c.cc has them. */
struct rocksdb_env_t {
    Env *rep;
    bool is_default;
};
struct rocksdb_options_t {
    Options rep;
};
struct rocksdb_t {
    DB *rep;
};

namespace {

const err none = { ERR_NONE };
const useconds_t room_poll_us = 50000;

bool EndsIn(const std::string &name, const char *end)
{
    size_t len = std::strlen(end);

    return name.size() >= len && name.compare(name.size() - len, len, end) == 0;
}

bool IsTable(const std::string &name)
{
    return EndsIn(name, ".sst") || EndsIn(name, ".blob");
}

/* Inline files never fail "maybe" and are never tried again: RocksDB would go on without a batch
 * that a crash may bring back. Tables are: it repeats the flush. */
IOStatus FromErr(err e, bool table)
{
    IOStatus s;

    switch (e.code) {
    case ERR_NONE:
        return IOStatus::OK();
    case ERR_MISSING:
        return IOStatus::PathNotFound(err_text());
    case ERR_CORRUPT:
        s = IOStatus::Corruption(err_text());
        s.SetDataLoss(true);
        return s;
    case ERR_CLOSED:
        return IOStatus::IOFenced(err_text());
    default:
        if (!table) {
            return IOStatus::IOFenced(err_text());
        }
        s = IOStatus::IOError(err_text());
        s.SetRetryable(true);
        return s;
    }
}

template <typename F> IOStatus Guarded(F f)
{
    try {
        return f();
    } catch (...) {
        return IOStatus::IOError("no memory");
    }
}

struct bytes BytesOf(const Slice &s)
{
    return { reinterpret_cast<const uint8_t *>(s.data()), s.size() };
}

IOStatus ReadAt(struct volume_reader *reader, uint64_t offset, size_t n, Slice *result,
                char *scratch)
{
    struct volume_range range = { offset, reinterpret_cast<uint8_t *>(scratch), n, 0 };
    err e = volume_read(reader, &range, 1);

    *result = Slice(scratch, e.code ? 0 : range.got);
    return FromErr(e, true);
}

class SealedSequentialFile : public FSSequentialFile {
public:
    explicit SealedSequentialFile(struct volume_reader *reader) : reader_(reader) {}
    ~SealedSequentialFile() override { volume_reader_free(reader_); }
    IOStatus Read(size_t n, const IOOptions &, Slice *result, char *scratch,
                  IODebugContext *) override
    {
        return Guarded([&] {
            IOStatus s = ReadAt(reader_, offset_, n, result, scratch);
            offset_ += result->size();
            return s;
        });
    }
    IOStatus Skip(uint64_t n) override
    {
        uint64_t rest = volume_reader_size(reader_) - offset_;
        offset_ += n < rest ? n : rest;
        return IOStatus::OK();
    }

private:
    struct volume_reader *reader_;
    uint64_t offset_ = 0;
};

class SealedRandomFile : public FSRandomAccessFile {
public:
    explicit SealedRandomFile(struct volume_reader *reader) : reader_(reader) {}
    ~SealedRandomFile() override { volume_reader_free(reader_); }
    IOStatus Read(uint64_t offset, size_t n, const IOOptions &, Slice *result, char *scratch,
                  IODebugContext *) const override
    {
        return Guarded([&] { return ReadAt(reader_, offset, n, result, scratch); });
    }
    IOStatus MultiRead(FSReadRequest *requests, size_t count, const IOOptions &,
                       IODebugContext *) override
    {
        return Guarded([&] {
            for (size_t i = 0; i < count; i++) {
                requests[i].status = ReadAt(reader_, requests[i].offset, requests[i].len,
                                            &requests[i].result, requests[i].scratch);
            }
            return IOStatus::OK();
        });
    }
    size_t GetUniqueId(char *id, size_t size) const override
    {
        uint8_t octets[16];
        if (size < sizeof octets) {
            return 0;
        }
        volume_reader_id(reader_, octets);
        std::memcpy(id, octets, sizeof octets);
        return sizeof octets;
    }

private:
    struct volume_reader *reader_;
};

class SealedWritableFile : public FSWritableFile {
public:
    SealedWritableFile(struct volume_file *file, bool table, struct sealed_fs_room *room)
        : file_(file), table_(table), room_(room)
    {
    }
    ~SealedWritableFile() override
    {
        Wait(false);
        volume_file_free(file_);
    }
    /* Compactions write with low priority, flushes never do; which of them it is that writes while
     * writing is slowed down anyway, the priority does not tell. */
    void SetIOPriority(Env::IOPriority priority) override
    {
        FSWritableFile::SetIOPriority(priority);
        if (table_ && priority != Env::IO_LOW) {
            volume_file_wait(file_, RoomAwaited, this);
        }
    }
    using FSWritableFile::Append;
    IOStatus Append(const Slice &data, const IOOptions &, IODebugContext *) override
    {
        if (table_ && io_priority_ == Env::IO_LOW && sealed_fs_waits(room_)) {
            IOStatus s = IOStatus::IOError("disk full: a flush comes first");
            s.SetRetryable(true);
            return s;
        }
        return Guarded([&] {
            IOStatus s = FromErr(volume_append(file_, BytesOf(data)), table_);
            Wait(false);
            return s;
        });
    }
    IOStatus Close(const IOOptions &, IODebugContext *) override { return IOStatus::OK(); }
    IOStatus Flush(const IOOptions &, IODebugContext *) override { return IOStatus::OK(); }
    IOStatus Sync(const IOOptions &, IODebugContext *) override
    {
        return Guarded([&] {
            IOStatus s = FromErr(volume_sync(file_), table_);
            Wait(false);
            return s;
        });
    }
    uint64_t GetFileSize(const IOOptions &, IODebugContext *) override
    {
        return volume_file_size(file_);
    }

private:
    static bool RoomAwaited(void *arg)
    {
        auto file = static_cast<SealedWritableFile *>(arg);

        file->Wait(true);
        usleep(room_poll_us);
        return __atomic_load_n(&file->room_->patient, __ATOMIC_ACQUIRE);
    }
    void Wait(bool waits)
    {
        if (waits != waits_) {
            waits_ = waits;
            __atomic_add_fetch(&room_->waiting, waits ? 1 : -1, __ATOMIC_ACQ_REL);
        }
    }

    struct volume_file *file_;
    const bool table_;
    struct sealed_fs_room *room_;
    bool waits_ = false;
};

class SealedDirectory : public FSDirectory {
public:
    explicit SealedDirectory(struct volume *v) : v_(v) {}
    IOStatus Fsync(const IOOptions &, IODebugContext *) override
    {
        return Guarded([&] { return FromErr(volume_commit(v_), false); });
    }
    IOStatus Close(const IOOptions &, IODebugContext *) override { return IOStatus::OK(); }

private:
    struct volume *v_;
};

/* Formats only: their arguments can be keys. */
class SealedLogger : public Logger {
public:
    SealedLogger(sealed_fs_warn_fn warn, void *arg)
        : Logger(InfoLogLevel::WARN_LEVEL), warn_(warn), arg_(arg)
    {
    }
    ~SealedLogger() override { closed_ = true; }
    void LogHeader(const char *, va_list) override {}
    void Logv(const char *, va_list) override {}
    void Logv(const InfoLogLevel level, const char *format, va_list) override
    {
        if (level >= InfoLogLevel::WARN_LEVEL && level < InfoLogLevel::HEADER_LEVEL && warn_) {
            warn_(arg_, level, format);
        }
    }

private:
    sealed_fs_warn_fn warn_;
    void *arg_;
};

class SealedLock : public FileLock {};

void NameAdded(void *arg, const char *name, bool)
{
    static_cast<std::vector<std::string> *>(arg)->emplace_back(name);
}

class SealedFileSystem : public FileSystem {
public:
    SealedFileSystem(struct volume *v, struct sealed_fs_room *room, sealed_fs_warn_fn warn,
                     void *arg)
        : v_(v), room_(room), warn_(warn), arg_(arg)
    {
    }
    const char *Name() const override { return "SealedFileSystem"; }

    IOStatus NewSequentialFile(const std::string &name, const FileOptions &,
                               std::unique_ptr<FSSequentialFile> *out, IODebugContext *) override
    {
        return Guarded([&] {
            struct volume_reader *reader = nullptr;
            err e = volume_reader_open(v_, name.c_str(), &reader);
            if (!e.code) {
                out->reset(new SealedSequentialFile(reader));
            }
            return FromErr(e, true);
        });
    }
    IOStatus NewRandomAccessFile(const std::string &name, const FileOptions &,
                                 std::unique_ptr<FSRandomAccessFile> *out,
                                 IODebugContext *) override
    {
        return Guarded([&] {
            struct volume_reader *reader = nullptr;
            err e = volume_reader_open(v_, name.c_str(), &reader);
            if (!e.code) {
                out->reset(new SealedRandomFile(reader));
            }
            return FromErr(e, true);
        });
    }
    IOStatus NewWritableFile(const std::string &name, const FileOptions &,
                             std::unique_ptr<FSWritableFile> *out, IODebugContext *) override
    {
        return Guarded([&] {
            bool table = IsTable(name);
            struct volume_file *file = nullptr;
            err e = volume_create(v_, name.c_str(), table ? VOLUME_TABLE : VOLUME_INLINE, &file);
            if (!e.code) {
                out->reset(new SealedWritableFile(file, table, room_));
            }
            return FromErr(e, table);
        });
    }
    /* Sealed octets are never written over (the library sets recycling off by itself as well). */
    IOStatus ReuseWritableFile(const std::string &, const std::string &, const FileOptions &,
                               std::unique_ptr<FSWritableFile> *, IODebugContext *) override
    {
        return IOStatus::NotSupported("ReuseWritableFile");
    }
    IOStatus NewDirectory(const std::string &, const IOOptions &,
                          std::unique_ptr<FSDirectory> *out, IODebugContext *) override
    {
        return Guarded([&] {
            out->reset(new SealedDirectory(v_));
            return IOStatus::OK();
        });
    }
    IOStatus FileExists(const std::string &name, const IOOptions &, IODebugContext *) override
    {
        return Guarded([&] {
            struct volume_file_stat stat;
            err e = volume_stat(v_, name.c_str(), &stat);
            return e.code == ERR_MISSING ? IOStatus::NotFound(name) : FromErr(e, true);
        });
    }
    IOStatus GetChildren(const std::string &dir, const IOOptions &,
                         std::vector<std::string> *out, IODebugContext *) override
    {
        return Guarded([&] {
            out->clear();
            return FromErr(volume_list(v_, dir.c_str(), NameAdded, out), true);
        });
    }
    IOStatus DeleteFile(const std::string &name, const IOOptions &, IODebugContext *) override
    {
        return Guarded([&] { return FromErr(volume_delete(v_, name.c_str()), true); });
    }
    /* Directories are what names have in common; none is made or removed. */
    IOStatus CreateDir(const std::string &, const IOOptions &, IODebugContext *) override
    {
        return IOStatus::OK();
    }
    IOStatus CreateDirIfMissing(const std::string &, const IOOptions &, IODebugContext *) override
    {
        return IOStatus::OK();
    }
    IOStatus DeleteDir(const std::string &, const IOOptions &, IODebugContext *) override
    {
        return IOStatus::OK();
    }
    IOStatus GetFileSize(const std::string &name, const IOOptions &, uint64_t *out,
                         IODebugContext *) override
    {
        return Guarded([&] {
            struct volume_file_stat stat = {};
            err e = volume_stat(v_, name.c_str(), &stat);
            *out = stat.size;
            return FromErr(e, true);
        });
    }
    IOStatus GetFileModificationTime(const std::string &name, const IOOptions &, uint64_t *out,
                                     IODebugContext *) override
    {
        return Guarded([&] {
            struct volume_file_stat stat = {};
            err e = volume_stat(v_, name.c_str(), &stat);
            *out = stat.created_s;
            return FromErr(e, true);
        });
    }
    IOStatus RenameFile(const std::string &from, const std::string &to, const IOOptions &,
                        IODebugContext *) override
    {
        return Guarded(
            [&] { return FromErr(volume_rename(v_, from.c_str(), to.c_str()), false); });
    }
    /* The volume itself is locked, once for all that is in it. */
    IOStatus LockFile(const std::string &, const IOOptions &, FileLock **out,
                      IODebugContext *) override
    {
        return Guarded([&] {
            if (locked_) {
                return IOStatus::Busy("the database is open already");
            }
            *out = new SealedLock;
            locked_ = true;
            return IOStatus::OK();
        });
    }
    IOStatus UnlockFile(FileLock *lock, const IOOptions &, IODebugContext *) override
    {
        delete lock;
        locked_ = false;
        return IOStatus::OK();
    }
    IOStatus GetTestDirectory(const IOOptions &, std::string *, IODebugContext *) override
    {
        return IOStatus::NotSupported("GetTestDirectory");
    }
    IOStatus NewLogger(const std::string &, const IOOptions &, std::shared_ptr<Logger> *out,
                       IODebugContext *) override
    {
        return Guarded([&] {
            out->reset(new SealedLogger(warn_, arg_));
            return IOStatus::OK();
        });
    }
    IOStatus GetAbsolutePath(const std::string &path, const IOOptions &, std::string *out,
                             IODebugContext *) override
    {
        return Guarded([&] {
            *out = path;
            return IOStatus::OK();
        });
    }
    IOStatus GetFreeSpace(const std::string &, const IOOptions &, uint64_t *out,
                          IODebugContext *) override
    {
        struct volume_figures info;
        volume_info(v_, &info);
        *out = info.disk_free_bytes;
        return IOStatus::OK();
    }
    IOStatus IsDirectory(const std::string &path, const IOOptions &, bool *out,
                         IODebugContext *) override
    {
        struct volume_file_stat stat;
        *out = volume_stat(v_, path.c_str(), &stat).code == ERR_MISSING;
        return IOStatus::OK();
    }

private:
    struct volume *v_;
    struct sealed_fs_room *room_;
    sealed_fs_warn_fn warn_;
    void *arg_;
    bool locked_ = false;
};

} // namespace

static err Failed(enum err_code code, const char *text)
{
    err_set(__FILE__, __LINE__, "%s", text);
    return err{ code };
}

err sealed_fs_guard(void)
{
    const int some = 7321;
    rocksdb_options_t *options = rocksdb_options_create();

    rocksdb_options_set_max_open_files(options, some);
    rocksdb_options_set_wal_recovery_mode(options, 1);
    bool same = options->rep.max_open_files == some &&
                options->rep.wal_recovery_mode == WALRecoveryMode::kAbsoluteConsistency;
    rocksdb_options_destroy(options);
    if (!same) {
        return Failed(ERR_CONFLICT, "the RocksDB library is not the 7.8 that this was built with; "
                                    "install that version");
    }
    return none;
}

void sealed_fs_patient(struct sealed_fs_room *room, bool patient)
{
    __atomic_store_n(&room->patient, patient, __ATOMIC_RELEASE);
}

bool sealed_fs_waits(const struct sealed_fs_room *room)
{
    return __atomic_load_n(&room->waiting, __ATOMIC_ACQUIRE) > 0;
}

err sealed_fs_env(struct volume *v, struct sealed_fs_room *room, sealed_fs_warn_fn warn, void *arg,
                  rocksdb_env_t **out)
{
    TRY(sealed_fs_guard());
    try {
        std::unique_ptr<rocksdb_env_t> env(new rocksdb_env_t{ nullptr, false });
        env->rep = NewCompositeEnv(std::make_shared<SealedFileSystem>(v, room, warn, arg)).release();
        *out = env.release();
        return none;
    } catch (...) {
        return Failed(ERR_LIMIT, "no memory for RocksDB's environment");
    }
}

void sealed_fs_env_free(rocksdb_env_t *env)
{
    if (env != nullptr) {
        delete env->rep;
        delete env;
    }
}

err sealed_fs_cf_path(rocksdb_options_t *options, const char *path)
{
    try {
        options->rep.cf_paths.assign(1, DbPath(path, UINT64_MAX));
        return none;
    } catch (...) {
        return Failed(ERR_LIMIT, "no memory for a family's options");
    }
}

err sealed_fs_resume(rocksdb_t *db)
{
    try {
        Status s = db->rep->Resume();
        std::string text = s.ToString();
        bool full = text.find("disk full") != std::string::npos;
        return s.ok() ? none : Failed(full ? ERR_LIMIT : ERR_IO, text.c_str());
    } catch (...) {
        return Failed(ERR_LIMIT, "no memory to resume");
    }
}

err sealed_fs_database(rocksdb_options_t *options)
{
    try {
        options->rep.db_host_id.clear();
        options->rep.max_bgerror_resume_count = 0;
        return none;
    } catch (...) {
        return Failed(ERR_LIMIT, "no memory for a database's options");
    }
}
