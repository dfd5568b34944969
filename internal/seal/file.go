package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tokendesk/models"
)

// OpenKeyring reads the keyring in a file.
func OpenKeyring(path string) (*Keyring, error) { return open(path, Parse) }

// OpenSigner reads the signer in a file.
func OpenSigner(path string) (*Signer, error) { return open(path, ParseSigner) }

// OpenOrCreateKeyring reads the keyring in a file, or makes a new one there, for development: in production a
// missing file is a mistake that must not be answered with a key nobody has kept.
func OpenOrCreateKeyring(path string) (*Keyring, error) {
	return openOrCreate(path, Generate, Parse)
}

// OpenOrCreateSigner reads the signer in a file, or makes a new one there, for development.
func OpenOrCreateSigner(path string) (*Signer, error) {
	return openOrCreate(path, GenerateSigner, ParseSigner)
}

// Save writes a keyring or a signer to a file with mode 0600, which it replaces as a whole or not at all.
func Save(path string, keys interface {
	Marshal() (models.SecretBytes, error)
}) error {
	temporary, err := writeTemporary(path, keys.Marshal)
	if err != nil {
		return err
	}
	defer removeQuietly(temporary)
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("seal: replacing the key file: %w", err)
	}
	return nil
}

func open[T any](path string, parse func(models.SecretBytes) (T, error)) (T, error) {
	var none T
	info, err := os.Stat(path)
	if err != nil {
		return none, fmt.Errorf("seal: opening the key file: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 { // who may write it could put a key of his own there
		return none, fmt.Errorf("seal: key file %s may be written by others (mode %#o): chmod 600 it", path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return none, fmt.Errorf("seal: reading the key file: %w", err)
	}
	return parse(raw)
}

func openOrCreate[T interface {
	Marshal() (models.SecretBytes, error)
}](path string, generate func() (T, error), parse func(models.SecretBytes) (T, error)) (T, error) {
	keys, err := open(path, parse)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	fresh, err := generate()
	if err != nil {
		return fresh, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fresh, fmt.Errorf("seal: making the folder of the key file: %w", err)
	}
	temporary, err := writeTemporary(path, fresh.Marshal)
	if err != nil {
		return fresh, err
	}
	defer removeQuietly(temporary)
	// Link, unlike rename, fails where another process was first: then its keys count, and ours were never used.
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fresh, fmt.Errorf("seal: creating the key file: %w", err)
	}
	return open(path, parse)
}

// writeTemporary writes the keys beside path, synced, and returns that file's name.
func writeTemporary(path string, marshal func() (models.SecretBytes, error)) (name string, err error) {
	raw, err := marshal()
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // CreateTemp's mode is 0600
	if err != nil {
		return "", fmt.Errorf("seal: writing the key file: %w", err)
	}
	_, err = file.Write(raw.Reveal())
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		removeQuietly(file.Name())
		return "", fmt.Errorf("seal: writing the key file: %w", err)
	}
	return file.Name(), nil
}

// removeQuietly removes a temporary file; one that is gone already, or stays, does no harm.
func removeQuietly(path string) { _ = os.Remove(path) }
