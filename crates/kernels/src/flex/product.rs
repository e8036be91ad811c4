//! Products of small matrices, each on the core that asks for it.

/// Numbers in rows and columns, at any distance from each other.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    numbers: &'a [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Rows one after the other.
    pub(crate) fn of_rows(numbers: &'a [f32], columns: usize) -> Self {
        let rows = numbers.len() / columns.max(1);
        Self { numbers, shape: [rows, columns], strides: [columns, 1] }
    }

    /// Rows as columns.
    pub(crate) fn turned(self) -> Self {
        let ([rows, columns], [down, along]) = (self.shape, self.strides);
        Self { numbers: self.numbers, shape: [columns, rows], strides: [along, down] }
    }
}

/// Whether a product replaces what stands in its places or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onto {
    Nothing,
    Present,
}

/// `a b`, in rows one after the other.
///
/// # Panics
/// If the shapes do not fit.
pub(crate) fn product(places: &mut [f32], onto: Onto, a: Matrix<'_>, b: Matrix<'_>) {
    let ([rows, inner], [below, columns]) = (a.shape, b.shape);
    assert!(inner == below && places.len() == rows * columns, "the matrices do not fit");
    let within = |m: &Matrix<'_>| m.numbers.len() == m.shape[0] * m.shape[1];
    assert!(within(&a) && within(&b), "a matrix has all of its numbers");
    let is_present = onto == Onto::Present;
    // SAFETY: rows and columns of all three lie within their slices, as was just asserted, and only
    // `places` is written.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            places.as_mut_ptr(),
            1,
            columns as isize,
            is_present,
            a.numbers.as_ptr(),
            a.strides[1] as isize,
            a.strides[0] as isize,
            b.numbers.as_ptr(),
            b.strides[1] as isize,
            b.strides[0] as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_those_by_hand_whichever_way_the_matrices_lie() {
        // [1 2; 3 4; 5 6] [1 0 2; 0 1 3]
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 2.0, 0.0, 1.0, 3.0]);
        let expected = [1.0, 2.0, 8.0, 3.0, 4.0, 18.0, 5.0, 6.0, 28.0];
        let mut places = [1.0; 9];
        product(&mut places, Onto::Nothing, Matrix::of_rows(&a, 2), Matrix::of_rows(&b, 3));
        assert_eq!(places, expected);
        let (a, b) = ([1.0, 3.0, 5.0, 2.0, 4.0, 6.0], [1.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
        let (a, b) = (Matrix::of_rows(&a, 3).turned(), Matrix::of_rows(&b, 2).turned());
        product(&mut places, Onto::Present, a, b);
        assert_eq!(places, expected.map(|x| 2.0 * x));
    }
}
